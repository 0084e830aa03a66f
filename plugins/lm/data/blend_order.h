#pragma once

#include "engine/base/api.h"

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

namespace stillroom::lm {

/// Which dataset each sample of a blend comes from, and which of its samples it is.
struct BlendOrder {
    std::vector<std::int16_t> dataset;
    std::vector<std::int64_t> sample;

    std::int64_t size() const { return static_cast<std::int64_t>(dataset.size()); }
    std::pair<std::size_t, std::int64_t> at(std::int64_t index) const {
        auto i = static_cast<std::size_t>(index);
        return {static_cast<std::size_t>(dataset[i]), sample[i]};
    }
};

/// More datasets than this are no blend: their number is an int16.
inline constexpr std::size_t kMostBlended = 32766;

/// Each weight over the sum of all, added up as NumPy does.
STILLROOM_API std::vector<double> normalized(std::span<const double> weights);

/// Megatron's greedy order: sample i comes from the dataset that is furthest behind its share of
/// max(i, 1) samples, the first one among equals. Weights are taken as they are.
STILLROOM_API BlendOrder blend_order(std::span<const double> weights, std::int64_t size);

/// The same until each dataset has given so many samples: its share is its part of all.
STILLROOM_API BlendOrder exhaustive_order(std::span<const std::int64_t> sizes);

}  // namespace stillroom::lm
