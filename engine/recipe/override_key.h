#pragma once

#include "engine/base/source.h"
#include "engine/recipe/override_value.h"

#include <optional>
#include <string>
#include <vector>

namespace stillroom {

/// The left side of an override: "db", "a.b.0", "opt/inner", and the package behind '@'.
struct OverrideKey {
    bool is_group = false;
    std::string key;
    std::vector<std::string> path;
    std::optional<std::string> package;
    std::size_t end = 0;  ///< the offset behind it
    Span where;
};

/// Reads a key from `begin` on. A '-' before '=' is left to the operator `-=`. Throws
/// OverrideMistake.
OverrideKey read_override_key(const Source& source, std::size_t begin);

}  // namespace stillroom
