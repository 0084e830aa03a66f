#pragma once

#include "engine/base/api.h"

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom {

/// Where groups, library recipes and included files are looked for; first match wins.
struct SearchFolder {
    std::filesystem::path path;
    std::string label;  ///< for messages: "the recipe's folder", "--config-dir", "the library", ...
};

/// A file of the search path. One that a link leads out of its folder is found, and `outside`:
/// nobody may read it.
struct FoundFile {
    std::filesystem::path path;
    bool outside = false;
};

class STILLROOM_API SearchPath {
public:
    explicit SearchPath(std::vector<SearchFolder> folders) : folders_(std::move(folders)) {}

    const std::vector<SearchFolder>& folders() const { return folders_; }

    /// The file of `name` ("db/mysql", "base"; ".yaml" is added), or nothing.
    std::optional<FoundFile> find(std::string_view name) const;

    /// True if a folder of that name holds an option or an inner group, in any of the folders.
    bool is_group(std::string_view group) const;
    std::vector<std::string> options(std::string_view group) const;  ///< sorted, each once
    /// Every group, inner ones too: "opt", "opt/inner"; sorted. Of very many folders the near ones.
    /// Looked for once.
    const std::vector<std::string>& groups() const;
    std::vector<std::string> files()
        const;  ///< files that lie in no group, without ".yaml", sorted

    std::string text() const;  ///< the folders, as messages list them

private:
    std::vector<SearchFolder> folders_;
    mutable std::optional<std::vector<std::string>> groups_;  // made on first use
};

/// The recipe's folder, `config_dirs`, STILLROOM_RECIPE_PATH, the project's recipes/, the user's,
/// the installed library. `recipe` may be empty: then the working directory stands for its folder.
STILLROOM_API SearchPath make_search_path(const std::filesystem::path& recipe,
                                          const std::vector<std::filesystem::path>& config_dirs);

/// The installed share/stillroom, or the source tree that the program was built in: holds schemas/
/// and recipes/. Empty if there is neither.
STILLROOM_API std::filesystem::path data_folder();

}  // namespace stillroom
