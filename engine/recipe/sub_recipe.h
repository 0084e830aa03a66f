#pragma once

#include "engine/base/diagnostic.h"
#include "engine/document/node.h"
#include "engine/recipe/compose.h"
#include "engine/recipe/search_path.h"

#include <filesystem>
#include <optional>
#include <string>

namespace stillroom {

/// The recipe file that a stage's `use` names: a path ("./other.yaml", from the folder of the file
/// that says so), or the name of a library recipe. Nothing where it names no recipe.
struct RecipeFile {
    std::filesystem::path path;
    bool outside = false;  ///< it leaves the recipe's folder and the search path
    bool absent = false;   ///< written as a path, and not there
};
std::optional<RecipeFile> find_recipe(const Node& use,
                                      const Sources& sources,
                                      const SearchPath& search);

/// A recipe as a stage sees it: which of its keys are params, which are inputs.
struct SubRecipe {
    Recipe recipe;
    NodePtr params;  ///< or an empty map
    NodePtr inputs;
};

/// Sets the params of the recipe to what the stage says, and merges the stage's `stages` over its
/// stages. What it has no param for is a mistake. `settings` is the stage less engine keys and
/// inputs.
Recipe with_params(const SubRecipe& sub,
                   const Node& settings,
                   const std::string& stage,
                   Diagnostics& diagnostics);

}  // namespace stillroom
