#pragma once

#include "engine/base/api.h"
#include "plugins/lm/kernels/vectors.h"

namespace stillroom::lm {

/// A row's scores become shares, in place: e^(scale·x) over their sum for [begin, end), 0 for the
/// others. At least one is inside.
STILLROOM_API void softmax_part(
    Tier tier, float* row, std::size_t begin, std::size_t end, std::size_t count, float scale);

/// Its twin, in double.
STILLROOM_API void softmax_part_plain(
    float* row, std::size_t begin, std::size_t end, std::size_t count, float scale);

}  // namespace stillroom::lm
