#include "engine/base/files.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/cli/command.h"
#include "engine/cli/help_text.h"
#include "engine/cli/key_facts.h"
#include "engine/cli/key_help.h"
#include "engine/cli/origins.h"
#include "engine/cli/recipe_input.h"
#include "engine/cli/run_verbs.h"
#include "engine/cli/schema_verbs.h"
#include "engine/cli/stage_text.h"
#include "engine/cli/terminal.h"
#include "engine/schema/catalog.h"
#include "engine/schema/editor.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::cli {
namespace fs = std::filesystem;
namespace {

void list_stages(Command& command, const Catalog& catalog) {
    int left = 0;
    std::vector<const StageType*> types;
    for (const std::string& name : catalog.names())
        if (const StageType* type = catalog.find(name, command.diagnostics)) {
            types.push_back(type);
            left = std::max(left, display_width(name));
        }
    TwoColumns rows(command.columns, left);
    for (const StageType* type : types)
        command.text += rows.row(type->name, type->description);
    command.write_result([&](JsonWriter& out) {
        out.begin_object();
        out.key("stages"), out.begin_array();
        for (const StageType* type : types) {
            out.begin_object();
            out.key("name"), out.string(type->name);
            out.key("description"), out.string(type->description);
            out.key("file"), out.string(type->file.string());
            out.end_object();
        }
        out.end_array();
        out.end_object();
    });
}

void show_stage(Command& command, const StageType& type) {
    command.text = stage_text(type, command.columns);
    command.write_result([&](JsonWriter& out) { write_stage(out, type); });
}

/// The params of a recipe, what it takes from outside, its groups and its stages.
void show_recipe(Command& command, const Catalog& catalog, const Word& word) {
    std::optional<Request> found = recipe_request(command, word, command.line.words.size());
    if (!found)
        return;
    Request& request = *found;
    request.catalog = &catalog;
    request.choices_may_be_open = true;
    std::optional<Recipe> recipe = compose(command.sources, request, command.diagnostics);
    if (!recipe || !command.diagnostics.ok())
        return;
    SearchPath search = search_path(command, request.recipe);
    std::vector<KeyHelp> params;
    NodePtr values = recipe->root->get("params");
    for (const std::string& key : names_below({"params"}, recipe->root, catalog)) {
        KeyHelp help = help_at({"params", key}, recipe->root, catalog).value_or(KeyHelp{});
        help.name = "params." + key;
        help.default_value = values ? values->get(key) : nullptr;
        help.required = help.default_value && help.default_value->is_missing();
        if (help.required)
            help.default_value = nullptr;
        else if (help.type.empty() && help.default_value)
            help.type = kind_name(help.default_value->kind);
        params.push_back(std::move(help));
    }
    auto text_at = [&](std::string_view key) {
        NodePtr value = recipe->root->get(key);
        return value && value->is_scalar() ? escape_controls(value->text) : std::string();
    };
    std::string& out = command.text;
    out = escape_controls(request.recipe.string()) + "\n";
    if (std::string about = text_at("about"); !about.empty())
        out += wrap(about, command.columns) + "\n";
    TwoColumns rows(command.columns, 24);
    if (!params.empty())
        out += "\nParams\n";
    for (const KeyHelp& help : params)
        out += rows.row(escape_controls(help.name), escape_controls(summary_of(help)));
    NodePtr inputs = recipe->root->get("inputs");
    if (inputs && !inputs->entries.empty()) {
        out += "\nInputs\n";
        for (const Entry& entry : inputs->entries) {
            NodePtr type = entry.value->is_map() ? entry.value->get("type") : entry.value;
            NodePtr about = entry.value->get("description");
            out += rows.row(escape_controls(fmt::format("inputs.{}", entry.key)),
                            escape_controls(fmt::format("{}{}{}",
                                                        type ? type->text : "",
                                                        about ? ": " : "",
                                                        about ? about->text : "")));
        }
    }
    std::string groups;
    for (const Choice& choice : recipe->defaults)
        if (!choice.group.empty() && !choice.self)
            groups += rows.row(escape_controls(fmt::format("{}={}", choice.group, choice.option)),
                               escape_controls("of " + join(search.options(choice.group), "and")));
    out += groups.empty() ? "" : "\nGroups\n" + groups;
    NodePtr stages = recipe->root->get("stages");
    if (stages && !stages->entries.empty()) {
        out += "\nStages\n";
        for (const Entry& entry : stages->entries) {
            NodePtr use = entry.value->get("use");
            out += rows.row(escape_controls(entry.key), use ? escape_controls(use->text) : "");
        }
    }
    command.write_result([&](JsonWriter& json) {
        json.begin_object();
        json.key("file"), json.string(request.recipe.string());
        json.key("about"), json.string(text_at("about"));
        json.key("params"), json.begin_array();
        for (const KeyHelp& help : params) {
            json.begin_object();
            json.key("name"), json.string(help.name);
            json.key("type"), json.string(help.type);
            json.key("value");
            help.default_value ? write_json(json, *help.default_value) : json.null();
            json.key("help"), json.string(help.description);
            json.end_object();
        }
        json.end_array();
        json.end_object();
    });
}

void show_text(Command& command, std::string text) {
    command.text = std::move(text);
    command.write_result([&](JsonWriter& out) { out.string(command.text); });
}

/// All that `help` explains by one name; below a stage type the keys beside the one asked for.
std::vector<std::string> explained_names(Command& command,
                                         const Catalog& catalog,
                                         const std::string& text) {
    std::vector<std::string> names = catalog.names();
    for (const std::string& name : catalog.names()) {
        const StageType* type = catalog.find(name, command.diagnostics);
        if (!type)
            continue;
        std::vector<std::string> path;
        std::string prefix;
        if (text.starts_with(name + ".")) {
            path = split_path(text.substr(name.size() + 1));
            if (!path.empty())
                path.pop_back();
            prefix = text.substr(0, text.rfind('.') + 1);
        }
        for (const KeyHelp& key : stage_keys(*type, path))
            names.push_back(prefix + key.name);
    }
    for (const KeyHelp& key : keys_at(catalog.frame(), {}))
        names.push_back(key.name);
    for (const std::string& key : catalog.engine_keys())
        names.push_back(key);
    for (std::string& name : verb_names())
        names.push_back(std::move(name));
    for (const std::string& name : search_path(command).files())
        names.push_back(name);
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
    return names;
}

/// `prune.minitron.target.params`: the key below a stage type.
bool show_stage_key(Command& command, const Catalog& catalog, const std::string& text) {
    for (const std::string& name : catalog.names()) {
        if (!text.starts_with(name + "."))
            continue;
        const StageType* type = catalog.find(name, command.diagnostics);
        if (!type)
            return true;
        std::vector<std::string> path = split_path(text.substr(name.size() + 1));
        std::optional<KeyHelp> help = stage_key(*type, path, catalog);
        if (!help)
            return false;
        TwoColumns rows(command.columns, 24);
        command.text = text + "\n" + wrap(summary_of(*help), command.columns) + "\n";
        for (const KeyHelp& below : stage_keys(*type, path))
            command.text += rows.row(below.name, summary_of(below));
        command.write_result([&](JsonWriter& out) {
            out.begin_object();
            out.key("key"), out.string(text);
            out.key("type"), out.string(help->type);
            out.key("help"), out.string(help->description);
            out.end_object();
        });
        return true;
    }
    return false;
}

/// A bare key: of a recipe's top or of any stage, then of every stage type that has it.
bool show_key(Command& command, const Catalog& catalog, const std::string& text) {
    TwoColumns rows(command.columns, 24);
    std::vector<std::pair<std::string, KeyHelp>> found;
    std::vector<std::string> path = split_path(text);
    auto add = [&](const std::string& where, const std::optional<KeyHelp>& help) {
        if (help)
            found.emplace_back(where, *help);
    };
    add("recipes", look_up_key(catalog.frame(), path));
    if (catalog.is_engine_key(text))
        add("every stage", look_up_key(catalog.frame(), {"stages", "any", text}));
    for (const std::string& name : catalog.names())
        if (const StageType* type = catalog.find(name, command.diagnostics))
            if (!catalog.is_engine_key(text))
                add(name, stage_key(*type, path, catalog));
    if (found.empty())
        return false;
    command.text = escape_controls(text) + "\n";
    for (const auto& [where, help] : found)
        command.text += rows.row("in " + where, summary_of(help));
    command.write_result([&](JsonWriter& out) {
        out.begin_object();
        out.key("key"), out.string(text);
        out.key("found"), out.begin_array();
        for (const auto& [where, help] : found) {
            out.begin_object();
            out.key("in"), out.string(where);
            out.key("type"), out.string(help.type);
            out.key("help"), out.string(help.description);
            out.end_object();
        }
        out.end_array();
        out.end_object();
    });
    return true;
}

}  // namespace

void run_stages(Command& command) {
    Catalog catalog(command.sources, schema_folders());
    if (command.line.words.empty())
        list_stages(command, catalog);
    else if (const StageType* type = find_stage_type(command, catalog, command.line.words.front()))
        show_stage(command, *type);
}

void run_help(Command& command) {
    if (command.line.words.empty()) {
        show_text(command, overview(command.columns));
        return;
    }
    const Word& word = command.line.words.front();
    if (const Verb* verb = find_verb(word.text)) {
        show_text(command, verb_help(*verb, command.columns));
        return;
    }
    Catalog catalog(command.sources, schema_folders());
    const std::vector<std::string> types = catalog.names();
    if (std::find(types.begin(), types.end(), word.text) != types.end()) {
        if (const StageType* type = find_stage_type(command, catalog, word))
            show_stage(command, *type);
        return;
    }
    std::error_code ignored;
    if (fs::is_regular_file(recipe_path(command, word), ignored)) {
        show_recipe(command, catalog, word);
        return;
    }
    if (show_stage_key(command, catalog, word.text) || show_key(command, catalog, word.text))
        return;
    std::string hint = did_you_mean(word.text, explained_names(command, catalog, word.text));
    command.diagnostics
        .error(0, word.where, fmt::format("no verb, stage, recipe or key is named '{}'", word.text))
        .with_hint(hint.empty() ? "`stillroom --help` and `stillroom stages` list them" : hint);
}

void run_schema(Command& command) {
    const std::vector<Word>& words = command.line.words;
    const std::string& action = words.front().text;
    if (action == "validate") {
        validate_files(command);
        return;
    }
    std::size_t wanted = action == "stage" ? 2 : 1;
    if (words.size() != wanted) {
        command.diagnostics.error(0,
                                  words.back().where,
                                  action == "stage" ? "`stillroom schema stage` needs one name"
                                                    : "`stillroom schema recipe` takes no name");
        return;
    }
    Catalog catalog(command.sources, schema_folders());
    if (action == "recipe") {
        command.text = editor_schema(catalog, command.diagnostics);
        command.result = command.text;
        return;
    }
    if (const StageType* type = find_stage_type(command, catalog, words[1])) {
        command.text = read_file(type->file, command.limits.file_bytes);
        command.write_result([&](JsonWriter& out) { write_json(out, *type->document); });
    }
}

}  // namespace stillroom::cli
