#pragma once

#include "engine/base/diagnostic.h"
#include "engine/document/node.h"
#include "engine/schema/schema.h"
#include "engine/schema/values.h"

namespace stillroom {

/// The map with every absent key whose schema has a `default`. A default is a copy with the origin
/// `schema_default` that points into the schema's file, and is itself filled and typed: so a map of
/// settings with `default: {}` arrives complete, and one without a default stays absent. Of
/// alternatives the branch that takes the value fills it. Works before `${...}` are resolved. `map`
/// itself is returned where nothing is missing.
STILLROOM_API NodePtr with_defaults(const Schema& schema, const NodePtr& map);

/// The same tree with each scalar as its schema means it: `6B` for a count is an integer node with
/// the text 6000000000, `no` for a text a string node. Places, `replaced` and `written` stay. Only
/// for values that fit the schema.
STILLROOM_API NodePtr typed(const Schema& schema,
                            const NodePtr& value,
                            Typing typing = Typing::recipe);

/// Defaults and examples in the schema that its own rules do not take.
STILLROOM_API void check_defaults(const Schema& schema, Diagnostics& diagnostics);

}  // namespace stillroom
