#pragma once

#include "engine/base/api.h"

#include <cstdint>
#include <span>
#include <vector>

namespace stillroom::lm {

/// Neighbouring indices of a dimension: begin, begin + 1, ... A choice of indices is a list of
/// runs, in the order in which they are taken, so that a leading slice is one and so is a head.
struct Run {
    std::int64_t begin = 0, count = 0;

    bool operator==(const Run&) const = default;
};
using Runs = std::vector<Run>;

STILLROOM_API Runs runs_of(std::span<const std::int64_t> indices);
STILLROOM_API std::int64_t count_of(const Runs& runs);
STILLROOM_API void append(Runs& runs, Run run);  ///< joined to the last where it goes on from it

}  // namespace stillroom::lm
