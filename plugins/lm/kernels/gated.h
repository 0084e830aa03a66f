#pragma once

#include "engine/base/api.h"
#include "plugins/lm/kernels/vectors.h"

namespace stillroom::lm {

enum class Gate : std::uint8_t { silu, gelu_tanh };

/// out = gate(a)·b, the gate rounded to the element type before it is multiplied. `out` may be
/// either input.
STILLROOM_API void gated(
    Tier tier, Gate gate, const float* a, const float* b, float* out, std::size_t count);
STILLROOM_API void gated(
    Tier tier, Gate gate, const Bf16* a, const Bf16* b, Bf16* out, std::size_t count);

/// What reaches a and b where dy reaches gate(a)·b. `da` may be a, `db` may be b.
STILLROOM_API void gated_backward(Tier tier,
                                  Gate gate,
                                  const float* a,
                                  const float* b,
                                  const float* dy,
                                  float* da,
                                  float* db,
                                  std::size_t count);
STILLROOM_API void gated_backward(Tier tier,
                                  Gate gate,
                                  const Bf16* a,
                                  const Bf16* b,
                                  const Bf16* dy,
                                  Bf16* da,
                                  Bf16* db,
                                  std::size_t count);

/// Its twin: one element, in double.
STILLROOM_API float gated_plain(Gate gate, float a, float b);

}  // namespace stillroom::lm
