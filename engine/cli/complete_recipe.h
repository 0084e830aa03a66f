#pragma once

#include <filesystem>
#include <string>
#include <vector>

namespace stillroom::cli {

/// What the command line says of a recipe before the cursor.
struct RecipeWords {
    std::string file;
    std::vector<std::filesystem::path> config_folders;
    std::vector<std::string> arguments;
};

/// Candidates for a word that is an override: groups and their options, keys and their values, keys
/// that the schema of a stage declares. A candidate that ends in a blank is whole. A broken recipe
/// gives what can be told of it.
std::vector<std::string> complete_override(const RecipeWords& recipe, const std::string& start);

/// Candidates for a key of the recipe.
std::vector<std::string> complete_key(const RecipeWords& recipe, const std::string& start);

std::vector<std::string> stage_type_names();
std::vector<std::string> library_names(const std::vector<std::filesystem::path>& config_folders);

}  // namespace stillroom::cli
