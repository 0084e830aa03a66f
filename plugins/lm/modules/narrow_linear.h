#pragma once

#include "engine/base/api.h"

#include <ATen/core/Tensor.h>

namespace stillroom::lm {

/// x·weightᵀ of fp32 rows and a bf16 weight on the CPU, computed in fp32. The weight is widened by
/// the block in a core's cache and never lies in memory as a whole: a few tokens read half the
/// bytes, and no page is zeroed for a copy. x is [..., in], weight [out, in].
STILLROOM_API at::Tensor narrow_linear(const at::Tensor& x, const at::Tensor& weight);

}  // namespace stillroom::lm
