#pragma once

#include "plugins/lm/config/model_config.h"

#include <string>
#include <vector>

namespace stillroom::lm {

/// Why a loader would refuse a shape, and what is near it.
struct Misfit {
    std::string key;      ///< of config.json: "num_attention_heads"
    std::string message;  ///< "hidden_size 4096 is no multiple of 24 heads"
    std::string hint;     ///< "nearest: 16 or 32 heads, or hidden_size 4080 or 4104"
};

/// All layers have both blocks, with the same heads, KV heads, head_dim and width: what the stock
/// classes of transformers and vLLM can say. Windows and RoPE may differ.
STILLROOM_API bool is_uniform(const ModelConfig& model);

/// What transformers 5 checks when it builds the family's config, and what it does not check but
/// needs. Empty: it loads. Looked at before anything runs.
STILLROOM_API std::vector<Misfit> misfits(const ModelConfig& model);

}  // namespace stillroom::lm
