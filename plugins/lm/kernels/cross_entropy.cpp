#include "plugins/lm/kernels/cross_entropy.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace stillroom::lm {
namespace {

constexpr std::size_t kSumBlock =
    4096;  // fp32 sums stay this short, so that they stay exact enough

struct RowSum {
    float largest = 0;
    double sum = 0;  // of e^(x - largest)
};

template <class Floats>
STILLROOM_INLINE void row_sum_body(const float* row, std::size_t count, RowSum& out) {
    constexpr std::size_t lanes = kLanes<Floats>;
    constexpr float kLowest = -std::numeric_limits<float>::infinity();
    std::size_t whole = count - count % lanes;
    Floats largest = Floats{} + kLowest, x;
    for (std::size_t i = 0; i < whole; i += lanes) {
        load(x, row + i);
        largest = x > largest ? x : largest;
    }
    load_some(x, row + whole, count - whole, kLowest);
    largest = x > largest ? x : largest;
    float each[lanes];
    store(each, largest);
    out.largest = *std::max_element(each, each + lanes);

    out.sum = 0;
    for (std::size_t begin = 0; begin < count; begin += kSumBlock) {
        std::size_t end = std::min(begin + kSumBlock, count), i = begin;
        Floats sum = Floats{};
        for (; i + lanes <= end; i += lanes) {
            load(x, row + i);
            x -= out.largest;
            exponential(x);
            sum += x;
        }
        load_some(x, row + i, end - i, kLowest);
        x -= out.largest;
        exponential(x);
        out.sum += double{sum_of(sum)} + double{sum_of(x)};
    }
}

STILLROOM_TIERS(row_sum,
                (const float* row, std::size_t count, RowSum& out),
                row_sum_body,
                (row, count, out))

}  // namespace

float cross_entropy_at(Tier tier, const float* logits, std::size_t vocab, std::size_t target) {
    RowSum row;
    row_sum_of(tier)(logits, vocab, row);
    return static_cast<float>(std::log(row.sum) + (double{row.largest} - double{logits[target]}));
}

float cross_entropy(const float* logits, std::size_t vocab, std::size_t target) {
    static const Tier tier = best_tier();
    return cross_entropy_at(tier, logits, vocab, target);
}

float cross_entropy_plain(const float* logits, std::size_t vocab, std::size_t target) {
    float largest = *std::max_element(logits, logits + vocab);
    double sum = 0;
    for (std::size_t i = 0; i < vocab; i++)
        sum += std::exp(double{logits[i]} - double{largest});
    return static_cast<float>(std::log(sum) + (double{largest} - double{logits[target]}));
}

}  // namespace stillroom::lm
