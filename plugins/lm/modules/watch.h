#pragma once

#include <ATen/core/Tensor.h>

#include <cstddef>
#include <functional>

namespace stillroom::lm {

// T tokens, D hidden, F feed-forward width, H query heads, K head dim

/// What a forward pass shows of itself; what is empty costs nothing. Tensors are the pass's own:
/// look, do not change.
struct Watch {
    using Look = std::function<void(std::size_t layer, const at::Tensor& x)>;

    Look attention_input;  ///< [T, D], normed, the weight applied
    Look heads;            ///< [T, H·K], what o_proj takes
    Look mlp_input;        ///< [T, D], normed
    Look mlp_middle;       ///< [T, F], what down_proj takes
    std::function<void(std::size_t layer, const at::Tensor& in_TD, const at::Tensor& out_TD)> layer;
};

}  // namespace stillroom::lm
