#pragma once

#include "engine/base/api.h"
#include "plugins/lm/kernels/adamw_step.h"
#include "plugins/lm/kernels/vectors.h"

#include <cstddef>

namespace stillroom::lm {

STILLROOM_API AdamwFactors factors_of(const AdamwStep& step);

/// One pass over flat buffers, all of `count`: master, moments and gradients in fp32. `rounded`, if
/// not null, gets the new parameters in bf16. Returns sum_of_squares of the new parameters, which
/// then takes no pass of its own.
STILLROOM_API double adamw(Tier tier,
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
