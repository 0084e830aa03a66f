#include "plugins/lm/kernels/panel_product.h"

#include <algorithm>

namespace stillroom::lm {
namespace {

/// What is fetched while a product runs: a little at each step of its depth.
struct Ahead {
    const char* at;
    std::size_t step;
};

/// Rows x Vectors of c stay in registers over the whole depth. `part` of the last vector's lanes
/// are c's where Part is set.
template <class Floats, int Rows, int Vectors, bool Part>
STILLROOM_INLINE void tile(
    const PanelProduct& p, std::size_t row, std::size_t column, std::size_t part, Ahead& ahead) {
    constexpr std::size_t lanes = kLanes<Floats>;
    const float* a = p.a + row * p.a_row;
    const float* b = p.b + column;
    float* c = p.c + row * p.c_row + column;
    std::size_t a_row = p.a_row, a_depth = p.a_depth, b_row = p.b_row, step = ahead.step;
    const char* next = ahead.at;
    Floats sums[Rows][Vectors];
#pragma GCC unroll 8
    for (int r = 0; r < Rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < Vectors; v++)
            sums[r][v] = Floats{};
    for (std::size_t k = 0; k < p.depth; k++) {
        __builtin_prefetch(next, 0, 2);
        next += step;
        Floats x[Vectors];
#pragma GCC unroll 4
        for (int v = 0; v < Vectors; v++) {
            if constexpr (Part)
                load_some(x[v], b + k * b_row, part, 0);
            else
                load(x[v], b + k * b_row + static_cast<std::size_t>(v) * lanes);
        }
#pragma GCC unroll 8
        for (int r = 0; r < Rows; r++) {
            float factor = a[static_cast<std::size_t>(r) * a_row + k * a_depth];
#pragma GCC unroll 4
            for (int v = 0; v < Vectors; v++)
                sums[r][v] += x[v] * factor;
        }
    }
    ahead.at = next;
#pragma GCC unroll 8
    for (int r = 0; r < Rows; r++)
#pragma GCC unroll 4
        for (int v = 0; v < Vectors; v++) {
            float* to =
                c + static_cast<std::size_t>(r) * p.c_row + static_cast<std::size_t>(v) * lanes;
            Floats old = Floats{};
            if constexpr (Part) {
                if (p.add)
                    load_some(old, to, part, 0);
                sums[r][v] += old;
                store_part(to, sums[r][v], part);
            } else {
                if (p.add)
                    load(old, to);
                sums[r][v] += old;
                store(to, sums[r][v]);
            }
        }
}

template <class Floats, int Vectors, bool Part>
STILLROOM_INLINE void panel(const PanelProduct& p,
                            std::size_t column,
                            std::size_t part,
                            Ahead& ahead) {
    // as many as the registers hold beside a row of b and a factor
    constexpr int kRows = kLanes<Floats> == 16 ? 8 : 4;
    std::size_t row = 0;
    for (; row + kRows <= p.rows; row += kRows)
        tile<Floats, kRows, Vectors, Part>(p, row, column, part, ahead);
    for (; row < p.rows; row++)
        tile<Floats, 1, Vectors, Part>(p, row, column, part, ahead);
}

template <class Floats>
STILLROOM_INLINE void product_body(const PanelProduct& p) {
    constexpr std::size_t lanes = kLanes<Floats>;
    constexpr std::size_t rows_at_once = lanes == 16 ? 8 : 4;
    std::size_t vectors = (p.columns + lanes - 1) / lanes;
    std::size_t steps = (vectors + 2) / 3 * ((p.rows + rows_at_once - 1) / rows_at_once) * p.depth;
    Ahead ahead{.at = static_cast<const char*>(p.next),
                .step = steps == 0 ? 0 : p.next_bytes / steps};
    std::size_t column = 0;
    for (; column + 3 * lanes <= p.columns; column += 3 * lanes)
        panel<Floats, 3, false>(p, column, 0, ahead);
    for (; column + lanes <= p.columns; column += lanes)
        panel<Floats, 1, false>(p, column, 0, ahead);
    if (column < p.columns)
        panel<Floats, 1, true>(p, column, p.columns - column, ahead);
}

template <class Floats>
STILLROOM_INLINE void widen_body(const Bf16* from, float* to, std::size_t count) {
    for (std::size_t i = 0; i < count; i += kLanes<Floats>) {
        std::size_t elements = std::min(kLanes<Floats>, count - i);
        Floats x;
        load_part(x, from + i, elements);
        store_part(to + i, x, elements);
    }
}

STILLROOM_TIERS(widen_floats,
                (const Bf16* from, float* to, std::size_t count),
                widen_body,
                (from, to, count))
STILLROOM_TIERS(product, (const PanelProduct& p), product_body, (p))

}  // namespace

void multiply(Tier tier, const PanelProduct& product) {
    product_of(tier)(product);
}

void widen(Tier tier, const Bf16* from, float* to, std::size_t count) {
    widen_floats_of(tier)(from, to, count);
}

void multiply_plain(const PanelProduct& p) {
    for (std::size_t r = 0; r < p.rows; r++)
        for (std::size_t j = 0; j < p.columns; j++) {
            double sum = p.add ? p.c[r * p.c_row + j] : 0;
            for (std::size_t k = 0; k < p.depth; k++)
                sum += double{p.a[r * p.a_row + k * p.a_depth]} * p.b[k * p.b_row + j];
            p.c[r * p.c_row + j] = static_cast<float>(sum);
        }
}

}  // namespace stillroom::lm
