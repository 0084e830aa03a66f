#pragma once

#include "engine/base/diagnostic.h"
#include "engine/document/node.h"
#include "engine/recipe/merge.h"
#include "engine/recipe/override.h"

#include <functional>
#include <string>
#include <vector>

namespace stillroom {

/// What is known of keys that no file set: a setting that a stage's schema declares exists for
/// `key=value`.
struct DeclaredKeys {
    std::function<bool(const KeyPath&)> declares;
    std::function<NodePtr(const KeyPath&)> default_of;  ///< or null
    std::function<std::vector<std::string>(const KeyPath&)>
        names;                                         ///< that may stand in the map at a path
    std::function<std::vector<std::string>()> groups;  ///< for "did you mean group"
};

/// The tree with one value override applied; the tree itself, and a diagnostic, where it cannot be.
STILLROOM_API NodePtr apply_override(const NodePtr& root,
                                     const Override& override,
                                     const DeclaredKeys& declared,
                                     const MergeRules& rules,
                                     Diagnostics& diagnostics);

}  // namespace stillroom
