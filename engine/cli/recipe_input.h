#pragma once

#include "engine/cli/command.h"
#include "engine/recipe/check.h"
#include "engine/recipe/compose.h"
#include "engine/recipe/override.h"
#include "engine/recipe/resolve.h"
#include "engine/recipe/search_path.h"
#include "engine/recipe/trust.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace stillroom::cli {

/// The file that a word names: the path as it stands, or a recipe of the search path by its name.
std::filesystem::path recipe_path(const Command& command, const Word& word);

/// What composing the recipe of the word `recipe` with the overrides from the word `first_override`
/// on asks. Nothing, with a mistake that offers the nearest, where there is no such file.
std::optional<Request> recipe_request(Command& command,
                                      const Word& recipe,
                                      std::size_t first_override);

/// Variables that `oc.env` may read, --allow-env among them.
ResolveOptions resolve_options(const Command& command);

CheckOptions check_options(const Command& command, const Request& request);

/// What --trust names: for plugin_folders and launch_folders.
std::vector<TrustFlag> trust_flags(const Command& command);

/// The store's folder: --store, STILLROOM_STORE, the configuration's, the usual one.
std::filesystem::path store_of(const Command& command);

SearchPath search_path(const Command& command, const std::filesystem::path& recipe = {});

}  // namespace stillroom::cli
