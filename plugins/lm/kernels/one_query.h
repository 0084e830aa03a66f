#pragma once

#include "engine/base/api.h"
#include "plugins/lm/kernels/vectors.h"

#include <cstddef>

namespace stillroom::lm {

// Attention of one token, as texts are written: few queries for each key that is read, so no matrix
// product helps and what counts is to read the keys once. All is in fp32 but what is read and
// written.

/// Heads that share a key head, and the keys that they see.
struct OneQuery {
    std::size_t heads = 0, dim = 0;
    std::size_t keys = 0, key_step = 0;  ///< elements from a key to the next; values alike
    float scale = 1;
};

/// out = softmax(scale·q·keysᵀ)·values, head by head, q and out [heads, dim]. `scratch` has
/// scratch_of(query) floats.
STILLROOM_API void attend_one(Tier tier,
                              const OneQuery& query,
                              const float* q,
                              const float* keys,
                              const float* values,
                              float* out,
                              float* scratch);
STILLROOM_API void attend_one(Tier tier,
                              const OneQuery& query,
                              const Bf16* q,
                              const Bf16* keys,
                              const Bf16* values,
                              Bf16* out,
                              float* scratch);

STILLROOM_API std::size_t scratch_of(const OneQuery& query);

/// Its twin, in double.
STILLROOM_API void attend_one_plain(
    const OneQuery& query, const float* q, const float* keys, const float* values, float* out);

}  // namespace stillroom::lm
