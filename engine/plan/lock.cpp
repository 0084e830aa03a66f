#include "engine/plan/lock.h"

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/refusal.h"
#include "engine/base/sha256.h"
#include "engine/base/text.h"
#include "engine/document/canonical.h"
#include "engine/document/document.h"
#include "engine/plan/key.h"
#include "engine/recipe/remote.h"
#include "engine/recipe/search_path.h"
#include "engine/schema/catalog.h"

#include <fmt/format.h>
#include <glob.h>

#include <algorithm>
#include <limits>
#include <set>

namespace stillroom {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kMostModule = std::size_t{1} << 30;
constexpr std::size_t kCommitDigits = 40;

/// How the lock calls a file: from its own folder on; of the library "library:data/wikitext.yaml",
/// so that the same lock serves wherever the program is installed.
std::string name_of(const fs::path& file, const fs::path& folder) {
    std::error_code error;
    auto real_path = [&](const fs::path& path) {
        fs::path real = fs::weakly_canonical(path, error);
        refuse_no_memory(error);
        return real;
    };
    fs::path real = real_path(fs::absolute(file)), here = real_path(fs::absolute(folder));
    fs::path library = real_path(data_folder() / "recipes");
    if (!data_folder().empty() && is_inside(real, library) && !is_inside(here, library))
        return "library:" + real.lexically_relative(library).string();
    return real.lexically_relative(here).string();
}

void add_file(Lock& lock, const fs::path& file, LockItem item) {
    Limits limits;
    limits.file_bytes = limits.total_bytes;
    limits.nodes = std::numeric_limits<std::uint32_t>::max();
    Sources sources;
    Diagnostics diagnostics;
    const Source& source = sources.add(file.string(), read_file(file, limits.file_bytes));
    NodePtr root = file.extension() == ".json" ? read_json(source, limits, diagnostics).root
                                               : read_yaml(source, limits, diagnostics).root;
    item.facts["bytes"] = sha256_hex(source.text());
    if (root)
        item.facts["value"] = sha256_hex(canonical_json(*root));
    lock.put(std::move(item));
}

void add_recipes(Lock& lock, const LockInput& input) {
    for (const auto& [url, digest] : input.remotes)
        lock.put({"remote", url, {{"bytes", digest}}});
    for (const fs::path& file : input.files)
        if (!is_remote_copy(file))
            add_file(lock, file, {"recipe", name_of(file, input.folder), {}});
}

/// The module of a plugin, as a worker would find it.
fs::path module_of(const std::string& plugin, const std::vector<TrustedPath>& places) {
    std::error_code error;
    for (const TrustedPath& place : places) {
        if (fs::is_regular_file(place.path, error) && place.path.filename() == plugin + ".so")
            return place.path;
        if (fs::is_regular_file(place.path / (plugin + ".so"), error))
            return place.path / (plugin + ".so");
    }
    return {};
}

void add_plugins(Lock& lock, const std::vector<CheckedStage>& stages, const LockInput& input) {
    std::set<std::string> plugins;
    for (const CheckedStage& stage : stages)
        plugins.insert(stage.use.substr(0, stage.use.find('.')));
    for (const std::string& plugin : plugins) {
        LockItem item{"plugin", plugin, {}};
        fs::path file = module_of(plugin, input.plugins);
        if (!file.empty())
            item.facts["bytes"] = sha256_hex(read_file(file, kMostModule));
        for (const CheckedStage& stage : stages)
            if (stage.type && stage.type->plugin == plugin && stage.type->version > 0)
                item.facts[stage.use] = fmt::format("version {}", stage.type->version);
        lock.put(std::move(item));
    }
}

/// The files that a path among the settings means: itself, what it matches, or what begins with it
/// (train.bin and train.idx of `train`).
std::vector<fs::path> files_of(const std::string& path) {
    std::error_code error;
    if (fs::exists(path, error))
        return {path};
    std::vector<fs::path> files;
    if (path.find_first_of("*?[") != std::string::npos) {
        glob_t found{};
        if (::glob(path.c_str(), 0, nullptr, &found) == 0)
            files.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
        ::globfree(&found);
    }
    for (const char* ending : {".bin", ".idx"})
        if (fs::exists(path + ending, error))
            files.emplace_back(path + ending);
    return files;
}

void add_datasets(Lock& lock, const std::vector<CheckedStage>& stages, const LockInput& input) {
    if (!input.digest)
        return;
    for (const CheckedStage& stage : stages) {
        if (!stage.type || !stage.settings)
            continue;
        for (const OutsidePath& path : outside_paths(stage)) {
            if (!path.local)
                continue;
            LockItem item{"dataset", name_of(path.text, input.folder), {}};
            if (std::vector<fs::path> files = files_of(path.text); !files.empty())
                item.facts["digest"] = input.digest(files);
            lock.put(std::move(item));
        }
    }
}

/// A revision as the Hub's cache names it: snapshots/<40 hex digits>.
std::string commit_of(const fs::path& folder) {
    for (const fs::path& part : folder) {
        std::string name = part.string();
        if (name.size() == kCommitDigits &&
            name.find_first_not_of("0123456789abcdef") == std::string::npos)
            return name;
    }
    return "";
}

/// What the store remembers of a stage that names a thing of the Hub.
void add_models(Lock& lock, const std::vector<CheckedStage>& stages, const LockInput& input) {
    if (!input.binding)
        return;
    for (const CheckedStage& stage : stages) {
        if (!stage.type || !stage.settings)
            continue;
        std::vector<OutsidePath> paths = outside_paths(stage);
        auto remote = std::find_if(
            paths.begin(), paths.end(), [](const OutsidePath& path) { return !path.local; });
        if (remote == paths.end())
            continue;
        std::optional<Binding> binding = input.binding(binding_id_of(stage, key_record(stage, {})));
        if (!binding)
            continue;
        LockItem item{"model", remote->text, {}};
        for (const auto& [name, folder] : binding->outputs) {
            item.facts["digest of " + name] = folder.digest;
            if (std::string commit = commit_of(folder.path); !commit.empty())
                item.facts["commit"] = commit;
        }
        lock.put(std::move(item));
    }
}

/// What changed between two states of one item.
std::string change_of(const LockItem& locked, const LockItem& now) {
    auto fact = [](const LockItem& item, const char* name) {
        auto found = item.facts.find(name);
        return found == item.facts.end() ? std::string() : found->second;
    };
    if (now.kind == "recipe" && fact(locked, "value") == fact(now, "value"))
        return "its layout or comments changed, its value did not";
    if (now.kind == "recipe")
        return "its value changed";
    std::vector<std::string> changes;
    std::map<std::string, std::string> all = locked.facts;
    all.insert(now.facts.begin(), now.facts.end());
    for (const auto& [name, value] : all) {
        std::string before = fact(locked, name.c_str()), after = fact(now, name.c_str());
        if (before != after)
            changes.push_back(fmt::format("{} was {}, is {}",
                                          name,
                                          before.empty() ? "not there" : shorten(before, 16),
                                          after.empty() ? "not there" : shorten(after, 16)));
    }
    return join(changes);
}

}  // namespace

Lock make_lock(const std::vector<CheckedStage>& stages, const LockInput& input) {
    Lock lock;
    lock.put({"engine", "stillroom", {{"version", input.engine}}});
    add_recipes(lock, input);
    add_plugins(lock, stages, input);
    add_datasets(lock, stages, input);
    add_models(lock, stages, input);
    return lock;
}

std::vector<Drift> compare_locks(const Lock& locked, const Lock& now) {
    std::vector<Drift> drifts;
    for (const LockItem& item : now.items) {
        const LockItem* before = locked.find(item.kind, item.name);
        std::string name = fmt::format("{} {}", item.kind, item.name);
        if (!before)
            drifts.push_back({name, "it is not in the lock"});
        else if (*before != item)
            drifts.push_back({name, change_of(*before, item)});
    }
    return drifts;
}

std::vector<fs::path> recipe_files(const Sources& sources) {
    ConfigurationFiles configurations = configuration_files();
    std::set<fs::path> files;
    for (const auto& source : sources.all()) {
        fs::path file = source->name();
        if (source->is_argument() || file == configurations.site || file == configurations.user ||
            file.parent_path().filename() == "launch" || file.string().ends_with(".schema.json"))
            continue;
        std::error_code error;
        if (fs::is_regular_file(file, error))
            files.insert(file);
    }
    return {files.begin(), files.end()};
}

}  // namespace stillroom
