#pragma once

#include <cstdint>

namespace stillroom::lm {

/// An update of AdamW, its weight decay decoupled.
struct AdamwStep {
    double lr = 0, beta1 = 0.9, beta2 = 0.95, eps = 1e-8;
    double decay = 0;       ///< of these parameters: 0 for those of one dimension
    double factor = 1;      ///< times the gradient: over the tokens, clipped
    std::int64_t step = 1;  ///< counted from 1
};

/// What every number of a step is worked with.
struct AdamwFactors {
    float beta1 = 0, beta2 = 0, eps = 0, factor = 1;
    float kept = 1;      ///< of a parameter that decays: 1 - lr·decay
    float rate = 0;      ///< lr over the mean's bias correction
    float unbiased = 1;  ///< 1 over the root of the square's
};

}  // namespace stillroom::lm
