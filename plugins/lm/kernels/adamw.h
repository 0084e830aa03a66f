#pragma once

#include "engine/base/api.h"
#include "plugins/lm/kernels/vectors.h"

#include <cstddef>
#include <cstdint>

namespace stillroom::lm {

/// An update of AdamW, its weight decay decoupled.
struct AdamwStep {
    double lr = 0, beta1 = 0.9, beta2 = 0.95, eps = 1e-8;
    double decay = 0;       ///< of these parameters: 0 for those of one dimension
    double factor = 1;      ///< times the gradient: over the tokens, clipped
    std::int64_t step = 1;  ///< counted from 1
};

/// One pass over flat buffers, all of `count`: master, moments and gradients in fp32. `rounded`, if
/// not null, gets the new parameters in bf16.
STILLROOM_API void adamw(Tier tier,
                         const AdamwStep& step,
                         float* master,
                         float* mean,
                         float* square,
                         const float* gradient,
                         Bf16* rounded,
                         std::size_t count);

/// Its twin for one number, in double.
STILLROOM_API void adamw_plain(
    const AdamwStep& step, double& parameter, double& mean, double& square, double gradient);

/// The sum of squares of fp32 numbers, in double from blocks of fp32; NaN or infinity where a
/// number is none. The same for each way of cutting the whole at multiples of kSquareBlock.
inline constexpr std::size_t kSquareBlock = 4096;
STILLROOM_API double sum_of_squares(Tier tier, const float* x, std::size_t count);

/// min(1, most / (norm + 1e-6)).
STILLROOM_API double clip_factor(double norm, double most);

}  // namespace stillroom::lm
