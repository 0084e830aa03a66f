#pragma once

#include "engine/base/api.h"

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace stillroom {

/// One thing that a recipe is made of or reads, and what it was when it was locked.
struct LockItem {
    std::string kind;  ///< engine, recipe, remote, plugin, dataset, model
    std::string name;  ///< a path from the lock's folder, an address, a plugin's name, a revision's
    std::map<std::string, std::string> facts;  ///< "bytes", "value", "digest", "version", "commit"

    bool operator==(const LockItem&) const = default;
};

/// Items sorted by kind and name.
struct Lock {
    std::vector<LockItem> items;

    const LockItem* find(const std::string& kind, const std::string& name) const;
    void put(LockItem item);  ///< in its place, over one of the same kind and name
};

/// The name of the file, which lies beside the recipe: one for the folder.
inline constexpr const char* kLockName = "recipe.lock";

/// YAML, one block an item with a blank line between, so that two branches merge cleanly. No times.
STILLROOM_API std::string lock_text(const Lock& lock);

/// Throws Error (exit 9) for a file that is no lock.
STILLROOM_API Lock read_lock(const std::filesystem::path& file);

/// Address -> SHA-256 of its bytes, of the remote recipes in a lock; empty where there is none.
STILLROOM_API std::map<std::string, std::string> read_remote_pins(
    const std::filesystem::path& file);

}  // namespace stillroom
