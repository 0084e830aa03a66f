#pragma once

#include "plugins/lm/modules/decoder.h"

#include <vector>

namespace stillroom::prune {

/// What a candidate's head takes, and the head.
struct Headed {
    const lm::Decoder* decoder = nullptr;
    at::Tensor hidden_TD;
};

/// KL(teacher || candidate) in nats, the mean over the tokens of each sequence. [T, vocabulary]
/// never exists. Throws Error (exit 6) where a logit is no number.
std::vector<double> mean_kl(const Headed& teacher,
                            const Headed& candidate,
                            const std::vector<std::int64_t>& lengths);

}  // namespace stillroom::prune
