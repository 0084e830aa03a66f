#include "plugins/lm/kernels/softmax.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace stillroom::lm {
namespace {

template <class Floats>
STILLROOM_INLINE void softmax_body(float* row, std::size_t count, float scale) {
    constexpr std::size_t lanes = kLanes<Floats>;
    constexpr float kLowest = -std::numeric_limits<float>::infinity();
    std::size_t whole = count - count % lanes;
    Floats largest = Floats{} + kLowest, sum = Floats{}, x;
    for (std::size_t i = 0; i < whole; i += lanes) {
        load(x, row + i);
        largest = x > largest ? x : largest;
    }
    load_some(x, row + whole, count - whole, kLowest);
    largest = x > largest ? x : largest;
    float each[lanes];
    store(each, largest);
    float most = *std::max_element(each, each + lanes);
    for (std::size_t i = 0; i < count; i += lanes) {
        std::size_t elements = std::min(lanes, count - i);
        load_some(x, row + i, elements, kLowest);
        x = (x - most) * scale;
        exponential(x);
        sum += x;
        store_part(row + i, x, elements);
    }
    float share = 1.0F / sum_of(sum);
    for (std::size_t i = 0; i < count; i += lanes) {
        std::size_t elements = std::min(lanes, count - i);
        load_part(x, row + i, elements);
        x *= share;
        store_part(row + i, x, elements);
    }
}

STILLROOM_TIERS(softmax_row,
                (float* row, std::size_t count, float scale),
                softmax_body,
                (row, count, scale))

}  // namespace

void softmax_part(
    Tier tier, float* row, std::size_t begin, std::size_t end, std::size_t count, float scale) {
    std::fill(row, row + begin, 0.0F);
    softmax_row_of(tier)(row + begin, end - begin, scale);
    std::fill(row + end, row + count, 0.0F);
}

void softmax_part_plain(
    float* row, std::size_t begin, std::size_t end, std::size_t count, float scale) {
    double most = *std::max_element(row + begin, row + end), sum = 0;
    for (std::size_t i = begin; i < end; i++)
        sum += std::exp(scale * (double{row[i]} - most));
    for (std::size_t i = 0; i < count; i++)
        row[i] = i < begin || i >= end
                     ? 0
                     : static_cast<float>(std::exp(scale * (double{row[i]} - most)) / sum);
}

}  // namespace stillroom::lm
