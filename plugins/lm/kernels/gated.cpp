#include "plugins/lm/kernels/gated.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace stillroom::lm {
namespace {

constexpr double kTanhScale = std::numbers::sqrt2 * std::numbers::inv_sqrtpi;  // of sqrt(2/pi)
constexpr double kTanhCube = 0.044715;

/// Both gates are a·sigmoid(u): tanh(y) = 2·sigmoid(2y) - 1.
template <class Floats, class Element>
STILLROOM_INLINE void gated_body(
    Gate gate, const Element* a, const Element* b, Element* out, std::size_t count) {
    constexpr auto slope = static_cast<float>(2 * kTanhScale);
    constexpr auto cube = static_cast<float>(kTanhCube);
    for (std::size_t i = 0; i < count; i += kLanes<Floats>) {
        std::size_t elements = std::min(kLanes<Floats>, count - i);
        Floats x, up;
        load_part(x, a + i, elements);
        load_part(up, b + i, elements);
        Floats u = gate == Gate::silu ? -x : -slope * (x + cube * x * x * x);
        exponential(u);
        x = x / (1.0F + u);
        round_to<Element>(x);
        x *= up;
        store_part(out + i, x, elements);
    }
}

STILLROOM_TIERS(gated_floats,
                (Gate gate, const float* a, const float* b, float* out, std::size_t count),
                gated_body,
                (gate, a, b, out, count))
STILLROOM_TIERS(gated_halves,
                (Gate gate, const Bf16* a, const Bf16* b, Bf16* out, std::size_t count),
                gated_body,
                (gate, a, b, out, count))

}  // namespace

void gated(Tier tier, Gate gate, const float* a, const float* b, float* out, std::size_t count) {
    gated_floats_of(tier)(gate, a, b, out, count);
}

void gated(Tier tier, Gate gate, const Bf16* a, const Bf16* b, Bf16* out, std::size_t count) {
    gated_halves_of(tier)(gate, a, b, out, count);
}

float gated_plain(Gate gate, float a, float b) {
    double x = a;
    if (gate == Gate::silu)
        return static_cast<float>(x / (1 + std::exp(-x)) * b);
    return static_cast<float>(0.5 * x * (1 + std::tanh(kTanhScale * (x + kTanhCube * x * x * x))) *
                              b);
}

}  // namespace stillroom::lm
