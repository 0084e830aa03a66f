#pragma once

#include "plugins/lm/config/config_file.h"

#include <fmt/format.h>

#include <string>

namespace stillroom::prune {

/// A config.json from few numbers.
struct Sizes {
    std::string type = "qwen3", architecture = "Qwen3ForCausalLM";
    int layers = 0, hidden = 0, ffn = 0, heads = 0, kv_heads = 0, head_dim = 0, vocab = 0;
    bool tied = false;
};

inline lm::ModelConfig model_of(const Sizes& sizes) {
    return lm::ConfigFile::parse(
               fmt::format(R"({{"architectures": ["{}"], "model_type": "{}", "hidden_size": {},
  "intermediate_size": {}, "num_hidden_layers": {}, "num_attention_heads": {},
  "num_key_value_heads": {}, "head_dim": {}, "vocab_size": {}, "tie_word_embeddings": {},
  "max_position_embeddings": 40960, "rope_theta": 1000000, "torch_dtype": "bfloat16"}})",
                           sizes.architecture,
                           sizes.type,
                           sizes.hidden,
                           sizes.ffn,
                           sizes.layers,
                           sizes.heads,
                           sizes.kv_heads,
                           sizes.head_dim,
                           sizes.vocab,
                           sizes.tied),
               "config.json")
        .model();
}

inline Sizes qwen3_8b_sizes() {
    return {.layers = 36,
            .hidden = 4096,
            .ffn = 12288,
            .heads = 32,
            .kv_heads = 8,
            .head_dim = 128,
            .vocab = 151936};
}

inline lm::ModelConfig qwen3_8b() {
    return model_of(qwen3_8b_sizes());
}

inline lm::ModelConfig smollm2() {
    return model_of({.type = "llama",
                     .architecture = "LlamaForCausalLM",
                     .layers = 30,
                     .hidden = 576,
                     .ffn = 1536,
                     .heads = 9,
                     .kv_heads = 3,
                     .head_dim = 64,
                     .vocab = 49152,
                     .tied = true});
}

}  // namespace stillroom::prune
