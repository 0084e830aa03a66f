#pragma once

#include "plugins/lm/config/model_config.h"

#include <ATen/core/Tensor.h>

namespace stillroom::lm {

struct NormWeights {
    at::Tensor weight;
    at::Tensor bias;  ///< layer_plus_one alone has one
};

/// Normalises the last dimension. The mean is taken in fp32 whatever x is; what rounds when is the
/// family's: Llama rounds to x's type before it scales, Gemma after.
STILLROOM_API at::Tensor norm(const at::Tensor& x,
                              const NormWeights& weights,
                              Norm kind,
                              double eps);

/// LibTorch's kernel on a device makes it in one pass, forward and back. It rounds once, after the
/// scale; Gemma's weights, 1 less than what scales, would be rounded before in bf16.
bool normed_on_device(const at::Tensor& x, const at::Tensor& weight, Norm kind);

}  // namespace stillroom::lm
