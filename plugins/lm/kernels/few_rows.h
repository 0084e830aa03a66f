#pragma once

#include "engine/base/api.h"
#include "plugins/lm/kernels/vectors.h"

#include <cstddef>

namespace stillroom::lm {

// Few rows times a bf16 weight in fp32, as texts are written: what counts is to read the weight
// once, as fast as memory gives it. Some words' weights stay in registers while all rows pass.

/// y (r, w) = x's row r · weight's row w.
struct FewRows {
    std::size_t rows = 0, words = 0, depth = 0;
    const float* x = nullptr;
    std::size_t x_row = 0;  ///< elements from a row to the next
    const Bf16* weight = nullptr;
    std::size_t weight_row = 0;
    float* y = nullptr;
    std::size_t y_row = 0;
};

STILLROOM_API void multiply_few(Tier tier, const FewRows& product);

/// Its twin, sums in double.
STILLROOM_API void multiply_few_plain(const FewRows& product);

}  // namespace stillroom::lm
