#pragma once

#include "engine/base/api.h"
#include "plugins/lm/kernels/vectors.h"

namespace stillroom::lm {

/// Rows of `columns` elements over their root mean square.
struct RmsNorm {
    std::size_t columns = 0;
    float eps = 0;
    /// out = x̂·(1 + w), rounded once (Gemma); else x̂ is rounded to the element type, then
    /// multiplied by w (Llama).
    bool plus_one = false;
};

/// Sums, roots and products in fp32. `out` may be `x`.
STILLROOM_API void rms_norm(
    Tier tier, const RmsNorm& norm, const float* x, const float* w, float* out, std::size_t rows);
STILLROOM_API void rms_norm(
    Tier tier, const RmsNorm& norm, const Bf16* x, const Bf16* w, Bf16* out, std::size_t rows);

/// What reaches x where dy reaches the result; dw, in fp32, is added to. Root and means are worked
/// out again: they cost less than they take to keep.
STILLROOM_API void rms_norm_backward(Tier tier,
                                     const RmsNorm& norm,
                                     const float* x,
                                     const float* w,
                                     const float* dy,
                                     float* dx,
                                     float* dw,
                                     std::size_t rows);
STILLROOM_API void rms_norm_backward(Tier tier,
                                     const RmsNorm& norm,
                                     const Bf16* x,
                                     const Bf16* w,
                                     const Bf16* dy,
                                     Bf16* dx,
                                     float* dw,
                                     std::size_t rows);

/// Its twin: one row of floats, in double.
STILLROOM_API void rms_norm_plain(const RmsNorm& norm, const float* x, const float* w, float* out);

}  // namespace stillroom::lm
