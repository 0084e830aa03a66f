#pragma once

#include "engine/base/diagnostic.h"
#include "engine/document/document.h"
#include "engine/document/node.h"
#include "engine/recipe/override.h"
#include "engine/recipe/search_path.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace stillroom {

class Catalog;
class RemoteRecipes;

/// One line of the final defaults list, in the order of merging.
struct Choice {
    std::string group;    ///< "db"; empty for a whole file and for `_self_`
    std::string package;  ///< where it lands, "" is the root
    std::string option;   ///< "mysql", or the file's name
    std::filesystem::path file;
    std::filesystem::path
        parent;         ///< the file whose defaults list brought it in; empty for the recipe itself
    Span where;         ///< the entry, or the argument, that decided
    bool self = false;  ///< the place of a file's own content
    bool shadowed = false;  ///< not merged: skipped as optional, null or deleted
};

/// What is asked of composition.
struct Request {
    std::filesystem::path recipe;
    Span named_at;                    ///< where the recipe was named, if it cannot be read
    std::vector<Argument> arguments;  ///< overrides, in command-line order
    std::vector<std::filesystem::path> config_dirs;
    Limits limits;
    const Catalog* catalog =
        nullptr;  ///< a setting that a stage's schema declares may be overridden though unset
    Sources* sources = nullptr;              ///< set by compose(): sub-recipes are read into it
    std::shared_ptr<RemoteRecipes> remotes;  ///< null: nothing is fetched
    std::string launch = "local";  ///< the option of the group `launch` that counts by itself
    Span launch_where;             ///< the configuration that says so
    std::string text;              ///< the recipe itself, where no file holds it
    std::string prefix;  ///< "stages.stage": bare keys of overrides stand below it, those of groups
                         ///< begin with '/'
    bool choices_may_be_open = false;  ///< `group: ???` is no error: for help and completion
};

/// The composed recipe: every value knows its origin and what it replaced. `${...}` is still text.
struct Recipe {
    std::filesystem::path file;
    NodePtr root;
    std::vector<Choice> defaults;
    NodePtr launch;            ///< what the command line chose of the group `launch`; null: nothing
    bool lacks_files = false;  ///< a file or choice is wrong: what it would bring is not there
    bool lacks_values = false;  ///< an override is wrong: what it would set is not set
};

/// The overrides of the arguments, below the request's prefix.
STILLROOM_API std::vector<Override> read_overrides(Sources& sources,
                                                   const Request& request,
                                                   Diagnostics& diagnostics);

/// One job. Sweeps in the arguments are mistakes here. Nothing if the recipe could not be put
/// together.
STILLROOM_API std::optional<Recipe> compose(Sources& sources,
                                            const Request& request,
                                            Diagnostics& diagnostics);

/// The same with overrides that are read already; none of them is a sweep.
STILLROOM_API std::optional<Recipe> compose(Sources& sources,
                                            const Request& request,
                                            const std::vector<Override>& overrides,
                                            Diagnostics& diagnostics);

}  // namespace stillroom
