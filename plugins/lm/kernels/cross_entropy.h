#pragma once

#include "engine/base/api.h"
#include "plugins/lm/kernels/vectors.h"

#include <cstddef>
#include <limits>

namespace stillroom::lm {

/// What a row of logits, seen part by part, adds up to: the largest x so far, and the sum of
/// e^(x - largest).
struct STILLROOM_API RowSum {
    float largest = -std::numeric_limits<float>::infinity();
    double sum = 0;

    double log() const;  ///< ln of the sum of e^x
};

/// Reads the part twice and writes nothing. NaN where a logit is NaN.
STILLROOM_API void add_logits(Tier tier, const float* logits, std::size_t count, RowSum& row);

/// Its twin: the whole row's log() in double.
STILLROOM_API double log_sum_plain(const float* logits, std::size_t count);

}  // namespace stillroom::lm
