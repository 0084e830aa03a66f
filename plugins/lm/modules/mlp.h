#pragma once

#include "engine/base/api.h"

#include <ATen/core/Tensor.h>

namespace stillroom::lm {

// B batch, T tokens, D hidden, F feed-forward width

/// The weights of one gated feed-forward, named and laid out as in a Hugging Face checkpoint.
struct MlpWeights {
    at::Tensor gate_FD;
    at::Tensor up_FD;
    at::Tensor down_DF;
};

/// down(silu(gate(x)) * up(x)). Throws Error where the shapes do not fit.
STILLROOM_API at::Tensor mlp(const at::Tensor& x_BTD, const MlpWeights& weights);

}  // namespace stillroom::lm
