#include "engine/cli/locking.h"

#include "engine/base/codes.h"
#include "engine/base/files.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/cli/build_info.h"
#include "engine/cli/recipe_input.h"
#include "engine/cli/run_verbs.h"
#include "engine/plan/lock.h"
#include "engine/recipe/check.h"
#include "engine/recipe/remote.h"
#include "engine/schema/catalog.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

namespace stillroom::cli {
namespace fs = std::filesystem;
namespace {

fs::path lock_file(const Request& request) {
    return request.recipe.parent_path() / kLockName;
}

Lock lock_of(Command& command, const Request& request, const Checked& checked) {
    LockInput input;
    input.folder = request.recipe.parent_path().empty() ? "." : request.recipe.parent_path();
    input.engine = kVersion;
    input.files = recipe_files(command.sources);
    if (request.remotes)
        input.remotes = request.remotes->used();
    input.plugins =
        plugin_folders(command.configuration(), trust_flags(command), command.diagnostics);
    return make_lock(checked.stages, input);
}

/// Into the lock that is there, which may serve other recipes of the folder: what they alone need
/// stays, but for files that are gone.
void take_all(Lock& locked, const Lock& now, const fs::path& folder) {
    std::erase_if(locked.items, [&](const LockItem& item) {
        std::error_code error;
        return item.kind == "recipe" && !item.name.starts_with("library:") &&
               !fs::exists(folder / item.name, error);
    });
    for (const LockItem& item : now.items)
        locked.put(item);
}

/// The items that --update names, by name or as "kind name".
bool take_named(Command& command, Lock& locked, const Lock& now) {
    std::vector<std::string> names;
    for (const LockItem& item : now.items)
        names.push_back(item.name);
    for (const Word& word : command.line.values("--update")) {
        bool found = false;
        for (const LockItem& item : now.items)
            if (item.name == word.text || item.kind + " " + item.name == word.text) {
                locked.put(item);
                found = true;
            }
        if (found)
            continue;
        std::string hint = did_you_mean(word.text, names);
        command.diagnostics
            .error(0, word.where, fmt::format("the recipe has no '{}' to lock", word.text))
            .with_hint(hint.empty() ? fmt::format("it has {}", join(names)) : hint);
    }
    return command.diagnostics.ok();
}

void write_drifts(JsonWriter& out, const std::vector<Drift>& drifts) {
    out.begin_array();
    for (const Drift& drift : drifts) {
        out.begin_object();
        out.key("item"), out.string(drift.item);
        out.key("how"), out.string(drift.how);
        out.end_object();
    }
    out.end_array();
}

}  // namespace

bool check_locked(Command& command, const Request& request, const Checked& checked) {
    fs::path file = lock_file(request);
    std::error_code error;
    if (!fs::exists(file, error)) {
        command.diagnostics
            .error(code::kLockDrift, {}, fmt::format("there is no {}", file.string()))
            .with_hint(fmt::format("`stillroom lock {}` writes it", request.recipe.string()))
            .exits(kExitIntegrity);
        return false;
    }
    std::vector<Drift> drifts = compare_locks(read_lock(file), lock_of(command, request, checked));
    for (const Drift& drift : drifts)
        command.diagnostics
            .error(code::kLockDrift,
                   {},
                   fmt::format("{} is not as {} has it: {}",
                               escape_controls(drift.item),
                               file.string(),
                               escape_controls(drift.how)))
            .with_hint(fmt::format("`stillroom lock {} --update '{}'` takes it as it is now",
                                   request.recipe.string(),
                                   drift.item))
            .exits(kExitIntegrity);
    return drifts.empty();
}

void run_lock(Command& command) {
    const Word& word = command.line.words.front();
    if (is_address(word.text)) {
        command.diagnostics.error(0, word.where, "a lock lies beside a recipe of your own")
            .with_hint("an address carries its own pin: '#sha256=...'");
        return;
    }
    Catalog catalog(command.sources, schema_folders());
    std::optional<Request> request = recipe_request(command, word, 1);
    if (!request)
        return;
    request->catalog = &catalog;
    request->launch_where = {};  // how it is launched is no part of a recipe
    RemoteRecipes::Options remote;
    remote.offline = command.offline();
    remote.most_bytes = command.limits.file_bytes;
    remote.lock = lock_file(*request);
    remote.pin_now = true;
    for (const Word& name : command.line.values("--update"))
        if (is_address(name.text))
            remote.anew = name.text;
    request->remotes = std::make_shared<RemoteRecipes>(remote);
    std::optional<Recipe> recipe = compose(command.sources, *request, command.diagnostics);
    if (!recipe)
        return;
    Checked checked = check(
        command.sources, *recipe, catalog, check_options(command, *request), command.diagnostics);
    if (!command.diagnostics.ok())
        return;
    Lock now = lock_of(command, *request, checked);
    fs::path file = lock_file(*request);
    std::error_code error;
    bool is_new = !fs::exists(file, error);
    Lock before = is_new ? Lock() : read_lock(file);
    Lock locked = before;
    if (!command.line.has("--update"))
        take_all(locked, now, request->recipe.parent_path());
    else if (!take_named(command, locked, now))
        return;
    if (is_new || locked.items != before.items)
        write_file(file, lock_text(locked));
    std::vector<Drift> changes = is_new ? std::vector<Drift>() : compare_locks(before, locked);
    for (const Drift& change : changes)
        command.text +=
            fmt::format("{}: {}\n", escape_controls(change.item), escape_controls(change.how));
    command.text += fmt::format("{}: {}{}\n",
                                escape_controls(file.string()),
                                plural(locked.items.size(), "item"),
                                is_new || !changes.empty() ? "" : ", nothing changed");
    command.write_result([&](JsonWriter& out) {
        out.begin_object();
        out.key("file"), out.string(file.string());
        out.key("items"), out.integer(static_cast<std::int64_t>(locked.items.size()));
        out.key("changed"), write_drifts(out, changes);
        out.end_object();
    });
}

}  // namespace stillroom::cli
