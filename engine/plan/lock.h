#pragma once

#include "engine/base/api.h"
#include "engine/recipe/check.h"
#include "engine/recipe/lock_file.h"
#include "engine/recipe/trust.h"
#include "engine/store/store.h"

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace stillroom {

/// What a lock is made from, beside the recipe.
struct LockInput {
    std::filesystem::path folder;                ///< of the recipe: names in the lock begin there
    std::string engine;                          ///< version
    std::vector<std::filesystem::path> files;    ///< that make up the recipe
    std::map<std::string, std::string> remotes;  ///< address -> digest, RemoteRecipes::used
    std::vector<TrustedPath> plugins;
    /// The content digest of outside files or folders. Null: no dataset is locked.
    std::function<std::string(const std::vector<std::filesystem::path>& paths)> digest;
    /// What is remembered of a source. Null: no model is locked.
    std::function<std::optional<Binding>(const std::string& id)> binding;
};

/// Everything that the recipe is made of and reads, as it is now. Throws Error for what cannot be
/// read.
STILLROOM_API Lock make_lock(const std::vector<CheckedStage>& stages, const LockInput& input);

/// One thing that is not as it was locked.
struct Drift {
    std::string item;  ///< "recipe base.yaml"
    std::string how;   ///< "its layout or comments changed, its value did not"
};

/// Items of `now` that `locked` does not hold as they are. What only the lock holds may belong to
/// another recipe of the folder.
STILLROOM_API std::vector<Drift> compare_locks(const Lock& locked, const Lock& now);

/// The files of a checked recipe among the texts that were read: those of the recipe, its groups
/// and its sub-recipes; sorted. Schemas and configurations are none, nor is the launch.
STILLROOM_API std::vector<std::filesystem::path> recipe_files(const Sources& sources);

}  // namespace stillroom
