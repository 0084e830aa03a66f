#pragma once

#include "engine/base/diagnostic.h"
#include "engine/schema/catalog.h"

#include <string>

namespace stillroom {

/// One self-contained JSON Schema of a recipe with all stage types of the catalog, for editors. It
/// says what a file may hold before it is composed: `${...}` and `???` fit everywhere, a stage
/// without `use` is a part of one that another file began, and a file with `defaults` may set what
/// its groups bring in. The same catalog gives the same bytes. Stages that cannot be read are left
/// out and told in the diagnostics.
STILLROOM_API std::string editor_schema(const Catalog& catalog, Diagnostics& diagnostics);

}  // namespace stillroom
