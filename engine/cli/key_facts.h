#pragma once

#include "engine/document/node.h"
#include "engine/schema/catalog.h"
#include "engine/schema/lookup.h"

#include <optional>
#include <string>
#include <vector>

namespace stillroom::cli {

/// What is known of a key of a recipe.
struct KeyFacts {
    NodePtr value;  ///< resolved and typed where the recipe could be checked; null: not set
    std::optional<KeyHelp> help;          ///< what a schema says of it; nothing: none knows it
    std::vector<std::string> keys;        ///< that may stand below it
    std::vector<std::string> neighbours;  ///< paths that may stand where it stands
};

/// What a schema says of the key at a path of a recipe: of a stage's key its type, of a param the
/// recipe's own `schema`, else the frame of all recipes.
std::optional<KeyHelp> help_at(const std::vector<std::string>& path,
                               const NodePtr& composed,
                               const Catalog& catalog);

/// Names that may stand right below a path: those that are there, then those that a schema knows.
std::vector<std::string> names_below(const std::vector<std::string>& path,
                                     const NodePtr& composed,
                                     const Catalog& catalog);

/// `checked` may be null: then the value is the composed one.
KeyFacts facts_of(const std::vector<std::string>& path,
                  const NodePtr& composed,
                  const NodePtr& checked,
                  const Catalog& catalog);

}  // namespace stillroom::cli
