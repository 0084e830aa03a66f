#include "plugins/lm/kernels/rotate.h"

#include <algorithm>

namespace stillroom::lm {
namespace {

template <class Floats, class Element>
STILLROOM_INLINE void turn_heads_body(const HeadShape& shape,
                                      const Element* x,
                                      const Element* cos,
                                      const Element* sin,
                                      Element* out,
                                      std::size_t tokens) {
    constexpr std::size_t lanes = kLanes<Floats>;
    for (std::size_t token = 0; token < tokens; token++, cos += shape.half, sin += shape.half) {
        for (std::size_t head = 0; head < shape.heads; head++, x += shape.dim, out += shape.dim) {
            for (std::size_t i = 0; i < shape.half; i += lanes) {
                std::size_t elements = std::min(lanes, shape.half - i);
                Floats first, second, c, s;
                load_part(first, x + i, elements);
                load_part(second, x + shape.half + i, elements);
                load_part(c, cos + i, elements);
                load_part(s, sin + i, elements);
                Floats first_c = first * c, second_s = second * s;
                Floats second_c = second * c, first_s = first * s;
                round_to<Element>(first_c);
                round_to<Element>(second_s);
                round_to<Element>(second_c);
                round_to<Element>(first_s);
                first = first_c - second_s;
                second = second_c + first_s;
                store_part(out + i, first, elements);
                store_part(out + shape.half + i, second, elements);
            }
            if (out != x)
                std::copy(x + 2 * shape.half, x + shape.dim, out + 2 * shape.half);
        }
    }
}

STILLROOM_TIERS(turn_floats,
                (const HeadShape& shape,
                 const float* x,
                 const float* cos,
                 const float* sin,
                 float* out,
                 std::size_t tokens),
                turn_heads_body,
                (shape, x, cos, sin, out, tokens))
STILLROOM_TIERS(turn_halves,
                (const HeadShape& shape,
                 const Bf16* x,
                 const Bf16* cos,
                 const Bf16* sin,
                 Bf16* out,
                 std::size_t tokens),
                turn_heads_body,
                (shape, x, cos, sin, out, tokens))

}  // namespace

void rotate_heads(Tier tier,
                  const HeadShape& shape,
                  const float* x,
                  const float* cos,
                  const float* sin,
                  float* out,
                  std::size_t tokens) {
    turn_floats_of(tier)(shape, x, cos, sin, out, tokens);
}

void rotate_heads(Tier tier,
                  const HeadShape& shape,
                  const Bf16* x,
                  const Bf16* cos,
                  const Bf16* sin,
                  Bf16* out,
                  std::size_t tokens) {
    turn_halves_of(tier)(shape, x, cos, sin, out, tokens);
}

void rotate_head_plain(
    const HeadShape& shape, const float* x, const float* cos, const float* sin, float* out) {
    std::copy(x, x + shape.dim, out);
    for (std::size_t i = 0; i < shape.half; i++) {
        out[i] = x[i] * cos[i] - x[shape.half + i] * sin[i];
        out[shape.half + i] = x[shape.half + i] * cos[i] + x[i] * sin[i];
    }
}

}  // namespace stillroom::lm
