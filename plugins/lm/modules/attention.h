#pragma once

#include "plugins/lm/config/model_config.h"
#include "plugins/lm/modules/batch.h"
#include "plugins/lm/modules/linear.h"
#include "plugins/lm/modules/rotary.h"

#include <functional>

namespace stillroom::lm {

// T tokens, D hidden, H query heads, G key/value heads, K head dim

/// The weights of one attention, named as in a Hugging Face checkpoint.
struct AttentionWeights {
    Linear q_proj, k_proj, v_proj, o_proj;
    at::Tensor q_norm, k_norm;  ///< undefined where heads are not normed
    /// Head i reads key head i % G, as in a leading slice of heads that are sorted by rank in their
    /// groups; else i / (H / G), as in a checkpoint.
    bool heads_by_rank = false;
};

/// What one attention takes beside its input and its weights.
struct AttentionPass {
    const ModelConfig& model;
    const Attention& shape;
    const Turns& turns;
    const Batch& batch;
    std::size_t layer = 0;                             ///< its place in the caches
    std::function<void(const at::Tensor&)> see_heads;  ///< shown what o_proj takes, [T, H·K]
};

at::Tensor attention(const at::Tensor& x_TD,
                     const AttentionWeights& weights,
                     const AttentionPass& pass);

}  // namespace stillroom::lm
