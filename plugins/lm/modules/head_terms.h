#pragma once

#include "engine/base/api.h"
#include "plugins/lm/kernels/logit_lanes.h"

#include <cstdint>
#include <optional>

namespace stillroom::lm {

enum class Tail : std::uint8_t { bucket, renormalise };

/// Divergence of the student's distribution from the teacher's.
struct KlTerm {
    double weight = 1;
    double temperature = 1;  ///< divides the logits of both
    bool scale_t2 = false;   ///< times the temperature's square
    Divergence direction = Divergence::forward;
    double beta = 0.5;       ///< the teacher's share in the mixture of jsd
    std::int64_t top_k = 0;  ///< only the teacher's likeliest words; 0: all
    double top_p = 1;        ///< of those as many as reach this probability together
    std::int64_t top_p_min_k = 1;
    Tail tail = Tail::bucket;  ///< what becomes of the words that top_k leaves out
};

struct HeadTerms {
    std::optional<KlTerm> kl;
    double ce_weight = 0;  ///< cross entropy is summed whatever its weight
};

/// Throws Error (exit 2) for terms that make no sense.
STILLROOM_API void check_terms(const HeadTerms& terms);

}  // namespace stillroom::lm
