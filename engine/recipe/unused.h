#pragma once

#include "engine/base/diagnostic.h"
#include "engine/document/node.h"
#include "engine/recipe/compose.h"

namespace stillroom {

/// Warns of leaves of `params`, and of what groups brought in, that no `${...}` of the recipe
/// reads. Says nothing where a reference is put together from values and could mean anything.
void warn_of_unused(const Recipe& recipe, Diagnostics& diagnostics);

}  // namespace stillroom
