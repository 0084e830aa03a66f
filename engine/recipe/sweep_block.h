#pragma once

#include "engine/base/diagnostic.h"
#include "engine/document/node.h"
#include "engine/recipe/override.h"

#include <vector>

namespace stillroom {

/// A dimension of a `sweep` block: a key of `matrix`, or a map of `zip`. All rows set the same
/// keys.
struct SweepFactor {
    std::vector<std::vector<Override>> rows;
};

struct SweepBlock {
    std::vector<SweepFactor> factors;
    std::vector<std::vector<Override>> include;  ///< jobs beside the product
    std::vector<std::vector<Override>> exclude;  ///< what no job of the product may match
};

/// `sweep: {matrix: {KEY: [..]}, zip: [{KEY: [..], ..}], include: [{KEY: V}], exclude: [{KEY:
/// V}]}`. Instead of a list a text may spell a sweep: "range(3)". Parts with mistakes are left out.
SweepBlock read_sweep_block(const Node& block, Diagnostics& diagnostics);

}  // namespace stillroom
