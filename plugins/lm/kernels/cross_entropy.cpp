#include "plugins/lm/kernels/cross_entropy.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace stillroom::lm {
namespace {

constexpr std::size_t kSumBlock =
    4096;  // fp32 sums stay this short, so that they stay exact enough

template <class Floats>
STILLROOM_INLINE void part_body(const float* row, std::size_t count, RowSum& out) {
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
    float most = *std::max_element(each, each + lanes);
    if (most > out.largest) {
        out.sum *= std::exp(double{out.largest} - double{most});
        out.largest = most;
    }
    if (out.largest == kLowest) {  // nothing but -inf so far, or NaN
        for (std::size_t i = 0; i < count; i++)
            out.sum += std::isnan(row[i]) ? double{row[i]} : 0;
        return;
    }
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

STILLROOM_TIERS(add_part,
                (const float* row, std::size_t count, RowSum& out),
                part_body,
                (row, count, out))

}  // namespace

double RowSum::log() const {
    return std::log(sum) + double{largest};
}

void add_logits(Tier tier, const float* logits, std::size_t count, RowSum& row) {
    add_part_of(tier)(logits, count, row);
}

double log_sum_plain(const float* logits, std::size_t count) {
    double largest = *std::max_element(logits, logits + count), sum = 0;
    for (std::size_t i = 0; i < count; i++)
        sum += std::exp(double{logits[i]} - largest);
    return std::log(sum) + largest;
}

}  // namespace stillroom::lm
