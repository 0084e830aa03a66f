#pragma once

#include "plugins/lm/weights/weight_table.h"

namespace stillroom::lm {

struct Counts {
    std::int64_t total = 0;
    std::int64_t embedding = 0;  ///< of the embedding, and of the head where it is another tensor
    std::int64_t active = 0;     ///< used for each token; fewer than all in a mixture of experts
};

STILLROOM_API Counts count(const WeightTable& table);

/// Bytes of the weights, each of `bits`.
STILLROOM_API std::int64_t weight_bytes(const WeightTable& table, int bits);

/// Keys and values that one position adds, in elements: over all layers 2 x KV heads x head_dim.
STILLROOM_API std::int64_t kv_elements(const ModelConfig& model);

}  // namespace stillroom::lm
