#pragma once

#include "engine/base/diagnostic.h"
#include "engine/document/document.h"
#include "engine/recipe/compose.h"
#include "engine/recipe/file_cache.h"
#include "engine/recipe/remote.h"
#include "engine/recipe/search_path.h"

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace stillroom {

/// A choice that an argument makes: `db=pg`, `+opt=[adam, sgd]`, `~db`. The key is "db",
/// "opt@inner".
struct GroupChoice {
    enum class Kind { change, add, remove } kind = Kind::change;
    std::string group;
    std::optional<std::string> package;
    std::vector<std::string> options;  ///< of `remove`: the one that must stand there, or none
    bool is_list = false;
    Span where;

    std::string key() const { return package ? group + "@" + *package : group; }
};

/// A file in the order of merging: its content (less `defaults`) lands at `choice.package`.
struct Layer {
    Choice choice;
    NodePtr content;
};

/// Expands the defaults lists from the recipe on, depth first, with the choices of the command
/// line: files in the order of merging. Mistakes are in the diagnostics. Without `remotes` no
/// remote file is at hand.
std::vector<Layer> expand_defaults(const std::filesystem::path& recipe,
                                   Span named_at,
                                   const std::vector<GroupChoice>& choices,
                                   const SearchPath& search,
                                   FileCache& files,
                                   RemoteRecipes* remotes,
                                   bool choices_may_be_open,
                                   Diagnostics& diagnostics);

}  // namespace stillroom
