#pragma once

#include "engine/document/node.h"
#include "engine/schema/schema.h"

#include <map>
#include <string>

namespace stillroom {

/// What a schema says of a value beside its form, as a tree over the values that have something
/// said of them. Of alternatives only the branch that takes the value speaks.
struct Marks {
    bool ignored = false;                                ///< x-cache: ignore
    bool secret = false;                                 ///< x-secret
    bool input = false;                                  ///< x-path: input
    bool output = false;                                 ///< x-path: output
    std::map<std::string, Marks, std::less<>> children;  ///< by key, or by index of a list

    bool any() const { return ignored || secret || input || output || !children.empty(); }
    const Marks* child(std::string_view key) const;  ///< null: nothing is said there
};

/// Of a value that fits the schema. A path said of a list is said of its items.
STILLROOM_API Marks marks_of(const Schema& schema, const NodePtr& value);

}  // namespace stillroom
