#include "plugins/prune/magnitudes.h"

#include <algorithm>
#include <cmath>

namespace stillroom::prune {
namespace {

using lm::Floats16;
using lm::Floats4;
using lm::Floats8;
using lm::kLanes;
using lm::load;
using lm::load_part;
using lm::store;
using lm::store_part;
using lm::sum_of;

constexpr std::size_t kTurn = 64;  // rows whose sum stays in a register

template <class Floats, class Element>
STILLROOM_INLINE void magnitudes_body(
    const Element* x, std::size_t rows, std::size_t stride, std::size_t columns, float* sums) {
    constexpr std::size_t lanes = kLanes<Floats>, wide = 4 * lanes;
    for (std::size_t begin = 0; begin < rows; begin += kTurn) {
        std::size_t end = std::min(rows, begin + kTurn), c = 0;
        for (; c + wide <= columns; c += wide) {
            Floats sum[4] = {}, value;
            for (std::size_t row = begin; row < end; row++)
                for (std::size_t part = 0; part < 4; part++) {
                    load(value, x + row * stride + c + part * lanes);
                    sum[part] += value < 0 ? -value : value;
                }
            for (std::size_t part = 0; part < 4; part++) {
                load(value, sums + c + part * lanes);
                value += sum[part];
                store(sums + c + part * lanes, value);
            }
        }
        for (; c < columns; c += lanes) {
            std::size_t some = std::min(lanes, columns - c);
            Floats sum = {}, value;
            for (std::size_t row = begin; row < end; row++) {
                load_part(value, x + row * stride + c, some);
                sum += value < 0 ? -value : value;
            }
            load_part(value, sums + c, some);
            value += sum;
            store_part(sums + c, value, some);
        }
    }
}

template <class Floats, class Element>
STILLROOM_INLINE void cosine_body(const Element* a,
                                  const Element* b,
                                  std::size_t columns,
                                  float* out) {
    constexpr std::size_t lanes = kLanes<Floats>;
    Floats dot = {}, squares_a = {}, squares_b = {}, x, y;
    for (std::size_t i = 0; i < columns; i += lanes) {
        std::size_t some = std::min(lanes, columns - i);
        load_part(x, a + i, some);
        load_part(y, b + i, some);
        dot += x * y;
        squares_a += x * x;
        squares_b += y * y;
    }
    float norms = std::max(std::sqrt(sum_of(squares_a)), 1e-8F) *
                  std::max(std::sqrt(sum_of(squares_b)), 1e-8F);
    *out = sum_of(dot) / norms;
}

STILLROOM_TIERS(
    magnitudes_floats,
    (const float* x, std::size_t rows, std::size_t stride, std::size_t columns, float* sums),
    magnitudes_body,
    (x, rows, stride, columns, sums))
STILLROOM_TIERS(
    magnitudes_halves,
    (const Bf16* x, std::size_t rows, std::size_t stride, std::size_t columns, float* sums),
    magnitudes_body,
    (x, rows, stride, columns, sums))
STILLROOM_TIERS(cosine_floats,
                (const float* a, const float* b, std::size_t columns, float* out),
                cosine_body,
                (a, b, columns, out))
STILLROOM_TIERS(cosine_halves,
                (const Bf16* a, const Bf16* b, std::size_t columns, float* out),
                cosine_body,
                (a, b, columns, out))

}  // namespace

void add_magnitudes(Tier tier,
                    const float* x,
                    std::size_t rows,
                    std::size_t stride,
                    std::size_t columns,
                    float* sums) {
    magnitudes_floats_of(tier)(x, rows, stride, columns, sums);
}

void add_magnitudes(Tier tier,
                    const Bf16* x,
                    std::size_t rows,
                    std::size_t stride,
                    std::size_t columns,
                    float* sums) {
    magnitudes_halves_of(tier)(x, rows, stride, columns, sums);
}

float cosine(Tier tier, const float* a, const float* b, std::size_t columns) {
    float out = 0;
    cosine_floats_of(tier)(a, b, columns, &out);
    return out;
}

float cosine(Tier tier, const Bf16* a, const Bf16* b, std::size_t columns) {
    float out = 0;
    cosine_halves_of(tier)(a, b, columns, &out);
    return out;
}

void add_magnitudes_plain(
    const float* x, std::size_t rows, std::size_t stride, std::size_t columns, float* sums) {
    for (std::size_t c = 0; c < columns; c++) {
        double sum = 0;
        for (std::size_t row = 0; row < rows; row++)
            sum += std::abs(double{x[row * stride + c]});
        sums[c] = static_cast<float>(sums[c] + sum);
    }
}

float cosine_plain(const float* a, const float* b, std::size_t columns) {
    double dot = 0, squares_a = 0, squares_b = 0;
    for (std::size_t i = 0; i < columns; i++) {
        dot += double{a[i]} * b[i];
        squares_a += double{a[i]} * a[i];
        squares_b += double{b[i]} * b[i];
    }
    double norms = std::max(std::sqrt(squares_a), 1e-8) * std::max(std::sqrt(squares_b), 1e-8);
    return static_cast<float>(dot / norms);
}

}  // namespace stillroom::prune
