#include "engine/base/files.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/base/units.h"
#include "engine/cli/command.h"
#include "engine/cli/recipe_input.h"
#include "engine/cli/run_verbs.h"
#include "engine/cli/table.h"
#include "engine/document/scalar.h"
#include "engine/run/run_folder.h"
#include "engine/store/store.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::cli {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kShort = 12;  // digits of a key that people are shown

void write_entry(JsonWriter& out, const EntrySummary& entry) {
    out.begin_object();
    out.key("key"), out.string(entry.key);
    out.key("stage"), out.string(entry.stage);
    out.key("use"), out.string(entry.use);
    out.key("bytes"), out.integer(static_cast<std::int64_t>(entry.bytes));
    out.key("created"), out.string(entry.created);
    out.key("used"), out.string(entry.used);
    out.key("pinned_by"), out.begin_array();
    for (const std::string& run : entry.pinned_by)
        out.string(run);
    out.end_array();
    out.end_object();
}

void write_entries(JsonWriter& out, std::string_view name, const std::vector<EntrySummary>& all) {
    out.key(name), out.begin_array();
    for (const EntrySummary& entry : all)
        write_entry(out, entry);
    out.end_array();
}

std::string entry_table(const std::vector<EntrySummary>& entries) {
    std::vector<std::vector<std::string>> rows;
    for (const EntrySummary& entry : entries)
        rows.push_back(
            {entry.key.substr(0, kShort),
             entry.stage.empty() ? "(damaged)" : escape_controls(entry.stage),
             escape_controls(entry.use),
             size_text(entry.bytes),
             entry.used.substr(0, 19),
             entry.pinned_by.empty() ? "unused" : plural(entry.pinned_by.size(), "run")});
    return table(rows);
}

void list(Command& command, const Store& store) {
    std::vector<EntrySummary> entries = store.entries();
    std::uint64_t bytes = 0;
    for (const EntrySummary& entry : entries)
        bytes += entry.bytes;
    command.text = entry_table(entries);
    command.progress = fmt::format("{} in {}, {}\n",
                                   plural(entries.size(), "artifact"),
                                   store.folder().string(),
                                   size_text(bytes));
    command.write_result([&](JsonWriter& out) {
        out.begin_object();
        out.key("store"), out.string(store.folder().string());
        write_entries(out, "entries", entries);
        out.end_object();
    });
}

/// The one entry whose key begins so, or a mistake.
std::optional<std::string> find_key(Command& command, const Store& store, const Word& word) {
    std::vector<std::string> found;
    for (const EntrySummary& entry : store.entries())
        if (entry.key.starts_with(word.text))
            found.push_back(entry.key);
    if (found.size() == 1)
        return found.front();
    command.diagnostics
        .error(
            0,
            word.where,
            found.empty()
                ? fmt::format("no entry of {} begins with '{}'", store.folder().string(), word.text)
                : fmt::format("'{}' is the start of {}", word.text, plural(found.size(), "key")))
        .with_hint("`stillroom store ls` lists them");
    return std::nullopt;
}

void show_path(Command& command, const Store& store) {
    fs::path path = store.folder();
    if (command.line.words.size() > 1) {
        std::optional<std::string> key = find_key(command, store, command.line.words[1]);
        if (!key)
            return;
        path = store.entry(*key);
    }
    command.text = path.string() + "\n";
    command.write_result([&](JsonWriter& out) {
        out.begin_object();
        out.key("path"), out.string(path.string());
        out.end_object();
    });
}

/// A problem for each damage. With --repair the damaged entries go, so that a run makes them anew.
void tell_damage(Command& command, const Store& store, const std::vector<Damage>& damages) {
    bool repairs = command.line.has("--repair");
    for (const Damage& damage : damages) {
        std::string what =
            fmt::format("{}: {}", store.entry(damage.key).string(), escape_controls(damage.what));
        if (repairs) {
            store.remove(damage.key);
            command.diagnostics.warning(0, {}, what)
                .with_hint("it is removed; the next run that needs it makes it again");
            continue;
        }
        command.diagnostics.error(0, {}, what)
            .with_hint(
                "`stillroom store verify --repair` removes it, and the next run makes it "
                "again")
            .exits(kExitIntegrity);
    }
}

void write_damages(JsonWriter& out, const std::vector<Damage>& damages) {
    out.key("damaged"), out.begin_array();
    for (const Damage& damage : damages) {
        out.begin_object();
        out.key("key"), out.string(damage.key);
        out.key("what"), out.string(damage.what);
        out.end_object();
    }
    out.end_array();
}

void verify(Command& command, const Store& store) {
    std::vector<Damage> damages = store.verify(Verify::digests);
    std::size_t checked = store.entries().size();
    tell_damage(command, store, damages);
    if (damages.empty())
        command.text = fmt::format("{}, all as they were made\n", plural(checked, "artifact"));
    command.write_result([&](JsonWriter& out) {
        out.begin_object();
        out.key("checked"), out.integer(static_cast<std::int64_t>(checked));
        write_damages(out, damages);
        out.end_object();
    });
}

/// A value above nothing, as `read` reads it, or a mistake that shows how to write one.
std::optional<double> bound(Command& command,
                            std::string_view option,
                            std::optional<Decimal> (*read)(std::string_view),
                            std::string_view example) {
    const Word* word = command.line.value(option);
    if (!word)
        return std::nullopt;
    std::optional<Decimal> value = read(word->text);
    std::optional<double> number = value ? std::optional(value->to_double()) : std::nullopt;
    if (number && *number >= 0)
        return number;
    command.diagnostics
        .error(0,
               word->where,
               fmt::format("'{}' is no value of {}", escape_controls(word->text), option))
        .with_hint(fmt::format("write {}", example));
    return std::nullopt;
}

void collect(Command& command, const Store& store) {
    CollectOptions options;
    options.older_than = bound(command, "--older-than", parse_duration, "30d, 12h or 90s");
    if (auto most = bound(command, "--max-size", parse_bytes, "50GB or 20GiB"))
        options.max_size = static_cast<std::uint64_t>(*most);
    options.dry_run = command.line.has("--dry-run");
    if (!command.diagnostics.ok())
        return;
    Collected collected = store.collect(options);
    command.text = entry_table(collected.removed);
    command.progress = fmt::format("{} {} and {}, {}; {} stay\n",
                                   options.dry_run ? "would remove" : "removed",
                                   plural(collected.removed.size(), "artifact"),
                                   plural(collected.leftovers, "leftover"),
                                   size_text(collected.bytes),
                                   size_text(collected.kept));
    command.write_result([&](JsonWriter& out) {
        out.begin_object();
        write_entries(out, "removed", collected.removed);
        out.key("bytes"), out.integer(static_cast<std::int64_t>(collected.bytes));
        out.key("leftovers"), out.integer(static_cast<std::int64_t>(collected.leftovers));
        out.key("kept"), out.integer(static_cast<std::int64_t>(collected.kept));
        out.end_object();
    });
}

}  // namespace

void run_store(Command& command) {
    Store store(store_of(command));
    const std::string& action = command.line.words.front().text;
    if (action == "ls")
        return list(command, store);
    if (action == "path")
        return show_path(command, store);
    if (action == "gc")
        return collect(command, store);
    verify(command, store);
}

}  // namespace stillroom::cli
