#include "engine/recipe/search_path.h"

#include "engine/base/files.h"
#include "engine/base/refusal.h"
#include "engine/base/text.h"
#include "engine/recipe/remote.h"

#include <algorithm>
#include <deque>
#include <set>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

constexpr int kDeepestGroup = 4;
constexpr int kMostFolders = 500;
constexpr std::string_view kSuffix = ".yaml";

bool is_option(std::string_view file) {
    return file.size() > kSuffix.size() && file.ends_with(kSuffix) && file[0] != '.';
}

std::string without_suffix(std::string_view file) {
    return std::string(file.substr(0, file.size() - kSuffix.size()));
}

/// The folders below this one that hold options, as group names. The near ones are looked into
/// first and there is an end: a recipe may lie in a home folder, or in / itself.
std::set<std::string> groups_below(const fs::path& folder, int depth) {
    struct Waiting {
        fs::path folder;
        std::string group;
        int depth;
    };
    std::set<std::string> groups;
    std::deque<Waiting> waiting = {{folder, "", depth}};
    std::error_code error;
    for (int looked = 0; !waiting.empty() && looked < kMostFolders; ++looked) {
        Waiting here = std::move(waiting.front());
        waiting.pop_front();
        bool has_options = false;
        for (const std::string& name : list_folder(here.folder)) {
            if (name[0] == '.')
                continue;
            if (is_option(name))
                has_options = true;
            if (here.depth <= kDeepestGroup && fs::is_directory(here.folder / name, error))
                waiting.push_back({here.folder / name,
                                   here.group.empty() ? name : here.group + "/" + name,
                                   here.depth + 1});
        }
        if (!has_options)
            continue;
        for (std::string group = here.group; !group.empty();) {  // a group holds inner ones
            groups.insert(group);
            std::size_t slash = group.rfind('/');
            group.resize(slash == std::string::npos ? 0 : slash);
        }
    }
    return groups;
}

/// The nearest recipes/ in the recipe's folder or above it.
fs::path project_recipes(fs::path folder) {
    std::error_code error;
    folder = fs::absolute(folder, error).lexically_normal();
    for (;;) {
        if (folder.filename() == "recipes")
            return folder;
        if (fs::is_directory(folder / "recipes", error))
            return folder / "recipes";
        if (!folder.has_relative_path() || folder.parent_path() == folder)
            return {};
        folder = folder.parent_path();
    }
}

}  // namespace

std::optional<FoundFile> SearchPath::find(std::string_view name) const {
    std::error_code error;
    for (const SearchFolder& folder : folders_) {
        fs::path path = folder.path / (std::string(name) + std::string(kSuffix));
        if (!fs::exists(path, error))
            continue;
        fs::path real = fs::canonical(path, error);
        refuse_no_memory(error);
        fs::path root = fs::canonical(folder.path, error);
        refuse_no_memory(error);
        return FoundFile{path.lexically_normal(), !is_inside(real, root)};
    }
    return std::nullopt;
}

bool SearchPath::is_group(std::string_view group) const {
    if (group.empty() || group.front() == '/' || group.find("..") != std::string_view::npos)
        return false;
    std::error_code error;
    for (const SearchFolder& folder : folders_) {
        fs::path path = folder.path / group;
        if (!fs::is_directory(path, error))
            continue;
        std::vector<std::string> inside = list_folder(path);
        if (std::any_of(inside.begin(), inside.end(), is_option))
            return true;
        if (!groups_below(path, 1).empty())
            return true;
    }
    return false;
}

std::vector<std::string> SearchPath::options(std::string_view group) const {
    std::set<std::string> names;
    for (const SearchFolder& folder : folders_)
        for (const std::string& file : list_folder(folder.path / group))
            if (is_option(file))
                names.insert(without_suffix(file));
    return {names.begin(), names.end()};
}

const std::vector<std::string>& SearchPath::groups() const {
    if (!groups_) {
        std::set<std::string> names;
        for (const SearchFolder& folder : folders_)
            names.merge(groups_below(folder.path, 0));
        groups_.emplace(names.begin(), names.end());
    }
    return *groups_;
}

std::vector<std::string> SearchPath::files() const {
    return options("");
}

std::string SearchPath::text() const {
    std::vector<std::string> parts;
    for (const SearchFolder& folder : folders_)
        parts.push_back(folder.path.string() + " (" + folder.label + ")");
    return join(parts, "and");
}

SearchPath make_search_path(const fs::path& recipe, const std::vector<fs::path>& config_dirs) {
    std::vector<SearchFolder> folders;
    std::set<fs::path> seen;
    auto add = [&](const fs::path& path, const char* label) {
        std::error_code error;
        if (path.empty() || !fs::is_directory(path, error))
            return;
        fs::path real = fs::canonical(path, error);
        refuse_no_memory(error);
        if (seen.insert(real).second)
            folders.push_back({path, label});
    };
    fs::path own = recipe.parent_path().empty() ? fs::path(".") : recipe.parent_path();
    add(own, "the recipe's folder");
    for (const fs::path& folder : config_dirs)
        add(folder, "--config-dir");
    for (const std::string& folder : split(environment("STILLROOM_RECIPE_PATH"), ':'))
        add(folder, "STILLROOM_RECIPE_PATH");
    if (!is_remote_copy(recipe))  // what lies around the cache is no project of its own
        add(project_recipes(own), "the project");
    add(config_folder() / "recipes", "the user's");
    fs::path data = data_folder();
    if (!data.empty())
        add(data / "recipes", "the library");
    return SearchPath(std::move(folders));
}

fs::path data_folder() {
    std::error_code error;
    auto holds_data = [&](const fs::path& folder) {
        return fs::is_directory(folder / "schemas/stages", error);
    };
    fs::path folder = program_path().parent_path();
    while (folder.has_relative_path()) {
        if (holds_data(folder / "share/stillroom"))
            return folder / "share/stillroom";
        if (holds_data(folder))
            return folder;
        folder = folder.parent_path();
    }
    return {};
}

}  // namespace stillroom
