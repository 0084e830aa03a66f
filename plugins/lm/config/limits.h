#pragma once

#include <cstdint>

namespace stillroom::lm {

// Above every published model, and low enough that no product or sum of them passes 63 bits: a
// tensor has at most 2^48 elements, a layer at most a dozen, a model's bytes fit.
inline constexpr std::int64_t kMostHidden = std::int64_t{1} << 20;
inline constexpr std::int64_t kMostWidth = std::int64_t{1} << 24;  ///< of an MLP; heads x head_dim
inline constexpr std::int64_t kMostVocab = std::int64_t{1} << 28;
inline constexpr std::int64_t kMostHeads = 1 << 16;
inline constexpr std::int64_t kMostLayers = 4096;
inline constexpr std::int64_t kMostPositions = std::int64_t{1} << 40;

}  // namespace stillroom::lm
