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

/// The gate is a·s with s = sigmoid(u), so its slope is s + a·s·(1 - s)·u'.
template <class Floats, class Element>
STILLROOM_INLINE void gated_backward_body(Gate gate,
                                          const Element* a,
                                          const Element* b,
                                          const Element* dy,
                                          Element* da,
                                          Element* db,
                                          std::size_t count) {
    constexpr auto slope = static_cast<float>(2 * kTanhScale);
    constexpr auto cube = static_cast<float>(kTanhCube);
    for (std::size_t i = 0; i < count; i += kLanes<Floats>) {
        std::size_t elements = std::min(kLanes<Floats>, count - i);
        Floats x, up, given;
        load_part(x, a + i, elements);
        load_part(up, b + i, elements);
        load_part(given, dy + i, elements);
        Floats u = gate == Gate::silu ? -x : -slope * (x + cube * x * x * x);
        Floats rise = gate == Gate::silu ? Floats{} + 1.0F : slope * (1.0F + 3 * cube * x * x);
        exponential(u);
        Floats sigmoid = 1.0F / (1.0F + u);
        Floats to_gate = given * up * (sigmoid + x * sigmoid * (1.0F - sigmoid) * rise);
        Floats to_up = given * x * sigmoid;
        store_part(da + i, to_gate, elements);
        store_part(db + i, to_up, elements);
    }
}

STILLROOM_TIERS(gated_backward_floats,
                (Gate gate,
                 const float* a,
                 const float* b,
                 const float* dy,
                 float* da,
                 float* db,
                 std::size_t count),
                gated_backward_body,
                (gate, a, b, dy, da, db, count))
STILLROOM_TIERS(gated_backward_halves,
                (Gate gate,
                 const Bf16* a,
                 const Bf16* b,
                 const Bf16* dy,
                 Bf16* da,
                 Bf16* db,
                 std::size_t count),
                gated_backward_body,
                (gate, a, b, dy, da, db, count))
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

void gated_backward(Tier tier,
                    Gate gate,
                    const float* a,
                    const float* b,
                    const float* dy,
                    float* da,
                    float* db,
                    std::size_t count) {
    gated_backward_floats_of(tier)(gate, a, b, dy, da, db, count);
}

void gated_backward(Tier tier,
                    Gate gate,
                    const Bf16* a,
                    const Bf16* b,
                    const Bf16* dy,
                    Bf16* da,
                    Bf16* db,
                    std::size_t count) {
    gated_backward_halves_of(tier)(gate, a, b, dy, da, db, count);
}

float gated_plain(Gate gate, float a, float b) {
    double x = a;
    if (gate == Gate::silu)
        return static_cast<float>(x / (1 + std::exp(-x)) * b);
    return static_cast<float>(0.5 * x * (1 + std::tanh(kTanhScale * (x + kTanhCube * x * x * x))) *
                              b);
}

}  // namespace stillroom::lm
