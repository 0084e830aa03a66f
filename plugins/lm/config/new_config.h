#pragma once

#include "plugins/lm/config/model_config.h"

#include <optional>
#include <string>
#include <vector>

namespace stillroom::lm {

/// A model from few numbers; zeros and nothings are what the family's class assumes.
struct NewModel {
    Family family = Family::llama;
    std::int64_t hidden = 0, layers = 0, heads = 0, kv_heads = 0, head_dim = 0, ffn = 0, vocab = 0;
    std::optional<bool> tied = {};
    std::int64_t max_positions = 0;
    double theta = 0;
    std::int64_t window = 0;  ///< of the layers that the family gives one; 0: none, but for Gemma
    std::string dtype = "bfloat16";
};

/// Throws Error (exit 2) for a number that is missing or out of bounds.
STILLROOM_API ModelConfig new_model(const NewModel& numbers);

/// Token ids, as config.json has them beside the model.
struct TokenIds {
    std::optional<std::int64_t> bos = {}, pad = {};
    std::vector<std::int64_t> eos = {};
};

/// A whole config.json that reads as `model`, in the spellings of transformers 4, which every
/// loader takes. Throws Error (exit 2) for what a stock config.json cannot say.
STILLROOM_API std::string config_json(const ModelConfig& model, const TokenIds& tokens = {});

}  // namespace stillroom::lm
