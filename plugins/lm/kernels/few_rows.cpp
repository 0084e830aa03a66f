#include "plugins/lm/kernels/few_rows.h"

#include <algorithm>

namespace stillroom::lm {
namespace {

constexpr int kAhead = 8;  // words

/// Rows x Words sums over the whole depth.
template <class Floats, int Rows, int Words>
STILLROOM_INLINE void tile(const FewRows& p, std::size_t row, std::size_t word) {
    constexpr std::size_t lanes = kLanes<Floats>;
    const float* x = p.x + row * p.x_row;
    const Bf16* weight = p.weight + word * p.weight_row;
    std::size_t x_row = p.x_row, weight_row = p.weight_row;
    Floats sums[Rows][Words];
#pragma GCC unroll 4
    for (int r = 0; r < Rows; r++)
#pragma GCC unroll 4
        for (int w = 0; w < Words; w++)
            sums[r][w] = Floats{};
    auto step = [&](std::size_t k, auto read) {
        Floats wide[Words];
#pragma GCC unroll 4
        for (int w = 0; w < Words; w++)
            read(wide[w], weight + static_cast<std::size_t>(w) * weight_row + k);
#pragma GCC unroll 4
        for (int r = 0; r < Rows; r++) {
            Floats factor;
            read(factor, x + static_cast<std::size_t>(r) * x_row + k);
#pragma GCC unroll 4
            for (int w = 0; w < Words; w++)
                sums[r][w] += factor * wide[w];
        }
    };
    std::size_t k = 0;
    for (; k + lanes <= p.depth; k += lanes) {
        if (row == 0)  // the weight's bytes a while from here: alone, a core waits for each line
            for (int w = 0; w < Words; w++)
                __builtin_prefetch(
                    weight + static_cast<std::size_t>(w + kAhead) * weight_row + k, 0, 3);
        step(k, [](Floats& to, const auto* from) [[gnu::always_inline]] { load(to, from); });
    }
    if (k < p.depth)
        step(k, [rest = p.depth - k](Floats& to, const auto* from) [[gnu::always_inline]] {
            load_part(to, from, rest);
        });
#pragma GCC unroll 4
    for (int r = 0; r < Rows; r++)
#pragma GCC unroll 4
        for (int w = 0; w < Words; w++)
            p.y[(row + static_cast<std::size_t>(r)) * p.y_row + word +
                static_cast<std::size_t>(w)] = sum_of(sums[r][w]);
}

template <class Floats, int Words>
STILLROOM_INLINE void all_rows(const FewRows& p, std::size_t word) {
    constexpr int kRows = kLanes<Floats> == 16 ? 4 : 2;
    std::size_t row = 0;
    for (; row + kRows <= p.rows; row += kRows)
        tile<Floats, kRows, Words>(p, row, word);
    for (; row < p.rows; row++)
        tile<Floats, 1, Words>(p, row, word);
}

template <class Floats>
STILLROOM_INLINE void few_body(const FewRows& p) {
    constexpr int kWords = 4;
    std::size_t word = 0;
    for (; word + kWords <= p.words; word += kWords)
        all_rows<Floats, kWords>(p, word);
    for (; word < p.words; word++)
        all_rows<Floats, 1>(p, word);
}

STILLROOM_TIERS(few, (const FewRows& p), few_body, (p))

}  // namespace

void multiply_few(Tier tier, const FewRows& product) {
    few_of(tier)(product);
}

void multiply_few_plain(const FewRows& p) {
    for (std::size_t r = 0; r < p.rows; r++)
        for (std::size_t w = 0; w < p.words; w++) {
            double sum = 0;
            for (std::size_t k = 0; k < p.depth; k++) {
                Floats4 weight;
                load_part(weight, p.weight + w * p.weight_row + k, 1);
                sum += double{p.x[r * p.x_row + k]} * double{weight[0]};
            }
            p.y[r * p.y_row + w] = static_cast<float>(sum);
        }
}

}  // namespace stillroom::lm
