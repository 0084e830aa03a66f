#pragma once

#include "engine/document/node.h"
#include "engine/recipe/apply.h"
#include "engine/recipe/compose.h"
#include "engine/recipe/search_path.h"

namespace stillroom {

/// The keys that stages of the tree may have: settings and ports of their schemas, engine keys, and
/// the params of sub-recipes. Looks at the tree as it is when asked, so that an override may follow
/// a change of `use`.
DeclaredKeys declared_keys(const NodePtr& root, const Request& request, const SearchPath& search);

}  // namespace stillroom
