#pragma once

#include "engine/base/diagnostic.h"

#include <set>
#include <string>
#include <vector>

namespace stillroom {

struct NeededName {
    std::string name;
    Span where;
};

/// A stage and the names that it refers to; names of nothing are passed over.
struct StageReferences {
    std::string name;
    Span where;
    std::vector<NeededName> names;
};

/// Positions so that each stage comes after what it needs, else as written. Every cycle is one
/// mistake that lists its stages; those in a cycle are in `in_cycle`, and come last.
std::vector<std::size_t> sort_by_needs(const std::vector<StageReferences>& stages,
                                       std::set<std::size_t>& in_cycle,
                                       Diagnostics& diagnostics);

}  // namespace stillroom
