#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/cli/command.h"
#include "engine/cli/recipe_input.h"
#include "engine/cli/run_verbs.h"
#include "engine/cli/terminal.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::cli {
namespace fs = std::filesystem;
namespace {

struct LibraryEntry {
    std::string name;
    fs::path file;
    std::string about;
};

/// The `about` of a recipe, or nothing; whatever is wrong with it is not asked here.
std::string about_of(const fs::path& file, const Limits& limits) {
    Sources sources;
    Diagnostics ignored;
    try {
        Document document = read_document(sources, file, limits, ignored);
        NodePtr about = document.root ? document.root->get("about") : nullptr;
        return about && about->is_scalar() ? about->text : "";
    } catch (const Error&) {
        return "";
    }
}

bool holds_stages(const fs::path& file, const Limits& limits) {
    Sources sources;
    Diagnostics ignored;
    try {
        Document document = read_document(sources, file, limits, ignored);
        return document.root && document.root->find("stages");
    } catch (const Error&) {
        return false;
    }
}

std::vector<LibraryEntry> whole_recipes(const SearchPath& search, const Limits& limits) {
    std::vector<LibraryEntry> found;
    for (const std::string& name : search.files()) {
        std::optional<FoundFile> file = search.find(name);
        if (file && !file->outside && holds_stages(file->path, limits))
            found.push_back({name, file->path, about_of(file->path, limits)});
    }
    return found;
}

/// The file of a recipe or of a group's option ("data/wikitext"); where there is none a mistake
/// that offers the nearest.
std::optional<fs::path> find_named(Command& command, const SearchPath& search, const Word& word) {
    std::optional<FoundFile> found = search.find(word.text);
    if (found && found->outside) {
        command.diagnostics
            .error(0,
                   word.where,
                   fmt::format("'{}' leads out of its folder: {}", word.text, found->path.string()))
            .exits(kExitPolicy);
        return std::nullopt;
    }
    if (found)
        return found->path;
    std::vector<std::string> names = search.files();
    for (const std::string& group : search.groups())
        for (const std::string& option : search.options(group))
            names.push_back(fmt::format("{}/{}", group, option));
    std::string hint = did_you_mean(word.text, names);
    if (hint.empty()) {  // an option without its group
        std::erase_if(names,
                      [&](const std::string& name) { return !name.ends_with("/" + word.text); });
        if (!names.empty())
            hint = fmt::format("did you mean '{}'?", fmt::join(names, "' or '"));
    }
    command.diagnostics
        .error(0, word.where, fmt::format("no recipe or group option is named '{}'", word.text))
        .with_hint(hint.empty() ? "`stillroom recipes ls` lists them" : hint);
    return std::nullopt;
}

void list_library(Command& command, const SearchPath& search) {
    std::vector<LibraryEntry> recipes = whole_recipes(search, command.limits);
    std::vector<std::string> groups = search.groups();
    int left = 0;
    for (const LibraryEntry& recipe : recipes)
        left = std::max(left, display_width(recipe.name));
    for (const std::string& group : groups)
        left = std::max(left, display_width(group));
    TwoColumns rows(command.columns, std::min(left, 30));
    command.text = recipes.empty() ? "" : "Recipes\n";
    for (const LibraryEntry& recipe : recipes)
        command.text += rows.row(escape_controls(recipe.name), escape_controls(recipe.about));
    command.text += groups.empty() ? "" : "Groups and their options\n";
    for (const std::string& group : groups)
        command.text +=
            rows.row(escape_controls(group), escape_controls(join(search.options(group), "and")));
    command.write_result([&](JsonWriter& out) {
        out.begin_object();
        out.key("recipes"), out.begin_array();
        for (const LibraryEntry& recipe : recipes) {
            out.begin_object();
            out.key("name"), out.string(recipe.name);
            out.key("file"), out.string(recipe.file.string());
            out.key("about"), out.string(recipe.about);
            out.end_object();
        }
        out.end_array();
        out.key("groups"), out.begin_array();
        for (const std::string& group : groups) {
            out.begin_object();
            out.key("name"), out.string(group);
            out.key("options"), out.begin_array();
            for (const std::string& option : search.options(group))
                out.string(option);
            out.end_array();
            out.end_object();
        }
        out.end_array();
        out.end_object();
    });
}

/// Writes a new file; never over one that is there.
bool write_new_file(Command& command, const fs::path& target, Span where, std::string_view text) {
    std::error_code ignored;
    if (fs::exists(fs::symlink_status(target, ignored))) {
        command.diagnostics.error(0, where, fmt::format("'{}' exists already", target.string()))
            .with_hint("name another file, or remove this one");
        return false;
    }
    if (target.has_parent_path())
        fs::create_directories(target.parent_path(), ignored);
    write_file(target, text);
    return true;
}

void write_file_result(Command& command, const std::string& name, const fs::path& file) {
    command.write_result([&](JsonWriter& out) {
        out.begin_object();
        out.key("name"), out.string(name);
        out.key("file"), out.string(file.string());
        out.end_object();
    });
}

/// The schema as an editor finds it from the file: relative inside the tree that holds both, so
/// that a checkout may be moved, else where it is installed.
std::string schema_for(const fs::path& target) {
    std::error_code ignored;
    fs::path root = fs::weakly_canonical(data_folder(), ignored);
    fs::path schema = root / "schemas" / "recipe.schema.json";
    fs::path folder = fs::weakly_canonical(fs::absolute(target, ignored).parent_path(), ignored);
    fs::path from_root = folder.lexically_relative(root);
    bool inside = !from_root.empty() && *from_root.begin() != "..";
    bool is_checkout = fs::exists(root / "meson.build", ignored);
    return inside && is_checkout ? schema.lexically_relative(folder).string() : schema.string();
}

constexpr std::string_view kModeline = "# yaml-language-server: $schema=";

/// The text with the editor's line for its new place instead of the one it came with.
std::string with_modeline(std::string_view text, const std::string& schema) {
    if (text.starts_with(kModeline)) {
        std::size_t end = text.find('\n');
        text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
    }
    return fmt::format("{}{}\n{}", kModeline, schema, text);
}

/// References to other recipes by a path relative to the library's folder, rewritten so that they
/// lead to the same files from anywhere: by name where the search path knows it, else in full.
std::string with_references(const Command& command,
                            const fs::path& file,
                            const SearchPath& search,
                            std::string text) {
    Sources sources;
    Diagnostics ignored;
    Document document = read_document(sources, file, command.limits, ignored);
    NodePtr stages = document.root ? document.root->get("stages") : nullptr;
    if (!stages || !stages->is_map())
        return text;
    std::vector<std::pair<Span, std::string>> edits;
    std::error_code failed;
    for (const Entry& stage : stages->entries) {
        NodePtr use = stage.value->get("use");
        bool is_path = use && use->is_scalar() &&
                       (use->text.starts_with("./") || use->text.starts_with("../"));
        if (!is_path)
            continue;
        fs::path wanted = (file.parent_path() / use->text).lexically_normal();
        std::optional<FoundFile> named = search.find(wanted.stem().string());
        bool same = named && fs::equivalent(named->path, wanted, failed);
        edits.emplace_back(use->where,
                           same ? wanted.stem().string() : fs::absolute(wanted, failed).string());
    }
    std::sort(edits.rbegin(), edits.rend());
    for (const auto& [where, replacement] : edits) {
        std::size_t begin = document.source->offset(where.begin);
        text.replace(begin, where.end.at - where.begin.at, replacement);
    }
    return text;
}

}  // namespace

void run_recipes(Command& command) {
    const std::string& action = command.line.words.front().text;
    SearchPath search = search_path(command);
    if (action == "ls") {
        if (command.line.words.size() > 1)
            command.diagnostics.error(
                0, command.line.words[1].where, "`stillroom recipes ls` takes no name");
        else
            list_library(command, search);
        return;
    }
    if (command.line.words.size() < 2) {
        command.diagnostics
            .error(0,
                   command.line.words.front().where,
                   fmt::format("`stillroom recipes {}` needs a name", action))
            .with_hint("`stillroom recipes ls` lists them");
        return;
    }
    const Word& name = command.line.words[1];
    std::optional<fs::path> file = find_named(command, search, name);
    if (!file)
        return;
    std::string text = read_file(*file, command.limits.file_bytes);
    if (action == "show") {
        command.text = text;
        command.write_result([&](JsonWriter& out) {
            out.begin_object();
            out.key("name"), out.string(name.text);
            out.key("file"), out.string(file->string());
            out.key("text"), out.string(text);
            out.end_object();
        });
        return;
    }
    fs::path target = command.line.words.size() > 2 ? fs::path(command.line.words[2].text)
                                                    : fs::path(name.text + ".yaml");
    if (!write_new_file(command, target, name.where, text))
        return;
    command.text = fmt::format("wrote {}\n", target.string());
    write_file_result(command, name.text, target);
}

void run_init(Command& command) {
    SearchPath search = search_path(command);
    if (command.line.has("--list")) {
        list_library(command, search);
        return;
    }
    Word name = command.line.verb_word;
    name.text = "tiny";
    if (!command.line.words.empty())
        name = command.line.words.front();
    std::optional<fs::path> file = find_named(command, search, name);
    if (!file)
        return;
    const Word* to = command.line.value("--to");
    fs::path target =
        to ? fs::path(to->text) : fs::path(fs::path(name.text).filename().string() + ".yaml");
    std::string text = read_file(*file, command.limits.file_bytes);
    text =
        with_modeline(with_references(command, *file, search, std::move(text)), schema_for(target));
    if (!write_new_file(command, target, to ? to->where : name.where, text))
        return;
    command.text = fmt::format(
        "wrote {}\nnext: stillroom check {}\n", target.string(), shell_word(target.string()));
    write_file_result(command, name.text, target);
}

}  // namespace stillroom::cli
