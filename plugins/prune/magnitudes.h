#pragma once

#include "plugins/lm/kernels/vectors.h"

namespace stillroom::prune {

using lm::Bf16;
using lm::Tier;

// What importance is measured by: one pass over activations, nothing written but sums.

/// sums[c] += |x| of column c over the rows, `stride` elements apart. Sums of 64 rows are added to
/// those before, so that long columns round little.
void add_magnitudes(Tier tier,
                    const float* x,
                    std::size_t rows,
                    std::size_t stride,
                    std::size_t columns,
                    float* sums);
void add_magnitudes(Tier tier,
                    const Bf16* x,
                    std::size_t rows,
                    std::size_t stride,
                    std::size_t columns,
                    float* sums);

/// Cosine of the angle between two rows; a norm counts as 1e-8 at least.
float cosine(Tier tier, const float* a, const float* b, std::size_t columns);
float cosine(Tier tier, const Bf16* a, const Bf16* b, std::size_t columns);

/// The plain twins.
void add_magnitudes_plain(
    const float* x, std::size_t rows, std::size_t stride, std::size_t columns, float* sums);
float cosine_plain(const float* a, const float* b, std::size_t columns);

}  // namespace stillroom::prune
