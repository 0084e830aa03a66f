#include "plugins/lm/kernels/rms_norm.h"

#include <algorithm>
#include <cmath>

namespace stillroom::lm {
namespace {

template <class Floats, class Element>
STILLROOM_INLINE void norm_rows_body(
    const RmsNorm& norm, const Element* x, const Element* w, Element* out, std::size_t rows) {
    constexpr std::size_t lanes = kLanes<Floats>;
    for (std::size_t row = 0; row < rows; row++, x += norm.columns, out += norm.columns) {
        Floats squares = Floats{}, value, weight;
        for (std::size_t i = 0; i < norm.columns; i += lanes) {
            load_part(value, x + i, std::min(lanes, norm.columns - i));
            squares += value * value;
        }
        float scale =
            1.0F / std::sqrt(sum_of(squares) / static_cast<float>(norm.columns) + norm.eps);
        for (std::size_t i = 0; i < norm.columns; i += lanes) {
            std::size_t elements = std::min(lanes, norm.columns - i);
            load_part(value, x + i, elements);
            load_part(weight, w + i, elements);
            value *= scale;
            if (norm.plus_one)
                weight += 1.0F;
            else
                round_to<Element>(value);
            value *= weight;
            store_part(out + i, value, elements);
        }
    }
}

STILLROOM_TIERS(norm_floats,
                (const RmsNorm& norm, const float* x, const float* w, float* out, std::size_t rows),
                norm_rows_body,
                (norm, x, w, out, rows))
STILLROOM_TIERS(norm_halves,
                (const RmsNorm& norm, const Bf16* x, const Bf16* w, Bf16* out, std::size_t rows),
                norm_rows_body,
                (norm, x, w, out, rows))

/// With x̂ = r·x and g = dy·w: dx = r·(g - x̂·mean(g·x̂)), dw = Σ dy·x̂.
template <class Floats, class Element>
STILLROOM_INLINE void norm_backward_body(const RmsNorm& norm,
                                         const Element* x,
                                         const Element* w,
                                         const Element* dy,
                                         Element* dx,
                                         float* dw,
                                         std::size_t rows) {
    constexpr std::size_t lanes = kLanes<Floats>;
    auto columns = static_cast<float>(norm.columns);
    for (std::size_t row = 0; row < rows; row++) {
        Floats squares = Floats{}, along = Floats{}, value, weight, given, total;
        for (std::size_t i = 0; i < norm.columns; i += lanes) {
            std::size_t elements = std::min(lanes, norm.columns - i);
            load_part(value, x + i, elements);
            load_part(weight, w + i, elements);
            load_part(given, dy + i, elements);
            if (norm.plus_one)
                weight += 1.0F;
            squares += value * value;
            along += given * weight * value;
        }
        float root = 1.0F / std::sqrt(sum_of(squares) / columns + norm.eps);
        float mean = sum_of(along) / columns * root * root;
        for (std::size_t i = 0; i < norm.columns; i += lanes) {
            std::size_t elements = std::min(lanes, norm.columns - i);
            load_part(value, x + i, elements);
            load_part(weight, w + i, elements);
            load_part(given, dy + i, elements);
            load_part(total, dw + i, elements);
            if (norm.plus_one)
                weight += 1.0F;
            total += given * value * root;
            value = root * (given * weight - value * mean);
            store_part(dw + i, total, elements);
            store_part(dx + i, value, elements);
        }
        x += norm.columns, dy += norm.columns, dx += norm.columns;
    }
}

STILLROOM_TIERS(norm_backward_floats,
                (const RmsNorm& norm,
                 const float* x,
                 const float* w,
                 const float* dy,
                 float* dx,
                 float* dw,
                 std::size_t rows),
                norm_backward_body,
                (norm, x, w, dy, dx, dw, rows))
STILLROOM_TIERS(norm_backward_halves,
                (const RmsNorm& norm,
                 const Bf16* x,
                 const Bf16* w,
                 const Bf16* dy,
                 Bf16* dx,
                 float* dw,
                 std::size_t rows),
                norm_backward_body,
                (norm, x, w, dy, dx, dw, rows))

}  // namespace

void rms_norm_backward(Tier tier,
                       const RmsNorm& norm,
                       const float* x,
                       const float* w,
                       const float* dy,
                       float* dx,
                       float* dw,
                       std::size_t rows) {
    norm_backward_floats_of(tier)(norm, x, w, dy, dx, dw, rows);
}

void rms_norm_backward(Tier tier,
                       const RmsNorm& norm,
                       const Bf16* x,
                       const Bf16* w,
                       const Bf16* dy,
                       Bf16* dx,
                       float* dw,
                       std::size_t rows) {
    norm_backward_halves_of(tier)(norm, x, w, dy, dx, dw, rows);
}

void rms_norm(
    Tier tier, const RmsNorm& norm, const float* x, const float* w, float* out, std::size_t rows) {
    norm_floats_of(tier)(norm, x, w, out, rows);
}

void rms_norm(
    Tier tier, const RmsNorm& norm, const Bf16* x, const Bf16* w, Bf16* out, std::size_t rows) {
    norm_halves_of(tier)(norm, x, w, out, rows);
}

void rms_norm_plain(const RmsNorm& norm, const float* x, const float* w, float* out) {
    double squares = 0;
    for (std::size_t i = 0; i < norm.columns; i++)
        squares += double{x[i]} * x[i];
    double scale = 1 / std::sqrt(squares / static_cast<double>(norm.columns) + norm.eps);
    for (std::size_t i = 0; i < norm.columns; i++)
        out[i] = static_cast<float>(x[i] * scale * (double{w[i]} + (norm.plus_one ? 1 : 0)));
}

}  // namespace stillroom::lm
