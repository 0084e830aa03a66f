#include "plugins/lm/kernels/likely.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace stillroom::lm {
namespace {

constexpr std::size_t kPart = 64;      // of a row: skipped whole where its largest is too small
constexpr std::size_t kSummed = 1024;  // in fp32 before the sum goes on in double
constexpr float kLowest = -std::numeric_limits<float>::infinity();

template <class Floats>
STILLROOM_INLINE void peaks_body(const float* row, std::size_t count, float* parts) {
    constexpr std::size_t lanes = kLanes<Floats>;
    for (std::size_t begin = 0; begin < count; begin += kPart, parts++) {
        std::size_t end = std::min(begin + kPart, count);
        Floats most = Floats{} + kLowest, odd = Floats{}, x;
        for (std::size_t i = begin; i < end; i += lanes) {
            load_some(x, row + i, std::min(lanes, end - i), kLowest);
            most = x > most ? x : most;
            odd = x == x ? odd : x;
        }
        float each[lanes], bad[lanes];
        store(each, most);
        store(bad, odd);
        *parts = *std::max_element(each, each + lanes);
        for (float one : bad)
            if (std::isnan(one))
                *parts = one;
    }
}

template <class Floats>
STILLROOM_INLINE void weights_body(
    const float* row, std::size_t count, float most, float scale, float* sum) {
    constexpr std::size_t lanes = kLanes<Floats>;
    Floats sums = Floats{}, x;
    for (std::size_t i = 0; i < count; i += lanes) {
        load_some(x, row + i, std::min(lanes, count - i), kLowest);
        x = (x - most) * scale;
        exponential(x);
        sums += x;
    }
    *sum = sum_of(sums);
}

STILLROOM_TIERS(row_peaks,
                (const float* row, std::size_t count, float* parts),
                peaks_body,
                (row, count, parts))
STILLROOM_TIERS(row_weights,
                (const float* row, std::size_t count, float most, float scale, float* sum),
                weights_body,
                (row, count, most, scale, sum))

}  // namespace

Peaks::Peaks(Tier tier, std::span<const float> logits)
    : logits_(logits),
      parts_((logits.size() + kPart - 1) / kPart),
      most_(kLowest) {
    row_peaks_of(tier)(logits.data(), logits.size(), parts_.data());
    for (float part : parts_) {
        most_ = std::isnan(part) ? part : std::max(most_, part);
        if (std::isnan(most_))
            break;
    }
}

void Peaks::collect(float least, std::vector<std::int32_t>& words) const {
    words.clear();
    for (std::size_t part = 0; part < parts_.size(); part++) {
        if (parts_[part] < least)
            continue;
        std::size_t end = std::min((part + 1) * kPart, logits_.size());
        for (std::size_t i = part * kPart; i < end; i++)
            if (logits_[i] >= least)
                words.push_back(static_cast<std::int32_t>(i));
    }
}

double sum_of_weights(Tier tier, std::span<const float> logits, float most, double temperature) {
    double sum = 0;
    auto scale =
        static_cast<float>(std::min(1 / temperature, double{std::numeric_limits<float>::max()}));
    for (std::size_t i = 0; i < logits.size(); i += kSummed) {
        float part = 0;
        row_weights_of(tier)(
            logits.data() + i, std::min(kSummed, logits.size() - i), most, scale, &part);
        sum += double{part};
    }
    return sum;
}

}  // namespace stillroom::lm
