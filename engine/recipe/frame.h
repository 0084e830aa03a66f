#pragma once

#include "engine/base/diagnostic.h"
#include "engine/document/node.h"
#include "engine/recipe/compose.h"
#include "engine/schema/catalog.h"

namespace stillroom {

/// The keys at a recipe's top and the engine keys of its stages, held to the frame's schema. `root`
/// is the resolved tree. Packages that groups filled are allowed; what would run code or name a
/// machine is refused by policy.
void check_frame(const Recipe& recipe,
                 const NodePtr& root,
                 const Catalog& catalog,
                 Diagnostics& diagnostics);

/// The params held to the recipe's own `schema` block.
void check_params(const Node& root, const Catalog& catalog, Diagnostics& diagnostics);

/// What the command line chose of the group `launch`.
void check_launch(const NodePtr& launch, Sources& sources, Diagnostics& diagnostics);

}  // namespace stillroom
