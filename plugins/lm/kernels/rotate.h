#pragma once

#include "engine/base/api.h"
#include "plugins/lm/kernels/vectors.h"

namespace stillroom::lm {

struct HeadShape {
    std::size_t heads = 0, dim = 0;
    std::size_t half = 0;  ///< dim i turns with dim i + half; those from 2·half on do not
};

/// Turns the heads of `tokens` tokens, [tokens, heads, dim], by the cos and sin of each token,
/// [tokens, half]. Each product and the sum are rounded to the element type. `out` may be `x`.
STILLROOM_API void rotate_heads(Tier tier,
                                const HeadShape& shape,
                                const float* x,
                                const float* cos,
                                const float* sin,
                                float* out,
                                std::size_t tokens);
STILLROOM_API void rotate_heads(Tier tier,
                                const HeadShape& shape,
                                const Bf16* x,
                                const Bf16* cos,
                                const Bf16* sin,
                                Bf16* out,
                                std::size_t tokens);

/// Its twin: one head, as the formula is written.
STILLROOM_API void rotate_head_plain(
    const HeadShape& shape, const float* x, const float* cos, const float* sin, float* out);

}  // namespace stillroom::lm
