#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/cli/command.h"
#include "engine/cli/key_facts.h"
#include "engine/cli/origins.h"
#include "engine/cli/recipe_input.h"
#include "engine/cli/run_verbs.h"
#include "engine/cli/terminal.h"
#include "engine/recipe/check.h"
#include "engine/schema/catalog.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

namespace stillroom::cli {
namespace fs = std::filesystem;
namespace {

bool is_override(std::string_view word) {
    return word.find('=') != std::string_view::npos || word.starts_with("~") ||
           word.starts_with("+");
}

struct HiddenFile {
    fs::path file;
    fs::path by;
};

/// Files of the same name further along the search path, which nobody reads.
std::vector<HiddenFile> hidden_files(const Recipe& recipe, const SearchPath& search) {
    std::vector<HiddenFile> found;
    std::error_code ignored;
    for (const Choice& choice : recipe.defaults) {
        if (choice.self || choice.shadowed || choice.option.empty())
            continue;
        fs::path name = fs::path(choice.group) / (choice.option + ".yaml");
        for (const SearchFolder& folder : search.folders()) {
            fs::path other = folder.path / name;
            if (fs::exists(other, ignored) && !fs::equivalent(other, choice.file, ignored))
                found.push_back({other.lexically_normal(), choice.file});
        }
    }
    return found;
}

std::string choice_name(const Choice& choice) {
    if (choice.self)
        return "_self_";
    std::string name = choice.group;
    std::string package = choice.group;
    std::replace(package.begin(), package.end(), '/', '.');
    if (!choice.group.empty() && choice.package != package)
        name += "@" + choice.package;
    return name.empty() ? choice.option : fmt::format("{}: {}", name, choice.option);
}

void append_tree(std::string& out,
                 const std::vector<Choice>& choices,
                 const fs::path& parent,
                 int depth) {
    if (depth > 32)
        return;
    for (const Choice& choice : choices) {
        if (choice.self || choice.parent != parent || choice.file == parent)
            continue;
        out += fmt::format("{}{}{}\n",
                           std::string(static_cast<std::size_t>(depth) * 2 + 2, ' '),
                           escape_controls(choice_name(choice)),
                           choice.shadowed ? "  (not merged)" : "");
        if (!choice.shadowed)
            append_tree(out, choices, choice.file, depth + 1);
    }
}

void explain_defaults(Command& command, const Recipe& recipe) {
    std::vector<HiddenFile> hidden = hidden_files(recipe, search_path(command, recipe.file));
    command.text = "Merged in this order\n";
    for (const Choice& choice : recipe.defaults)
        if (!choice.shadowed)
            command.text +=
                fmt::format("  {}  {}{}\n",
                            escape_controls(choice.file.string()),
                            escape_controls(choice_name(choice)),
                            choice.package.empty() ? "" : fmt::format(" -> {}", choice.package));
    command.text += fmt::format("Tree\n  {}\n", escape_controls(recipe.file.string()));
    append_tree(command.text, recipe.defaults, recipe.file, 1);
    if (!hidden.empty())
        command.text += "Hidden by a file earlier on the search path\n";
    for (const HiddenFile& one : hidden)
        command.text += fmt::format(
            "  {}  by {}\n", escape_controls(one.file.string()), escape_controls(one.by.string()));
    command.write_result([&](JsonWriter& out) {
        auto text = [&](std::string_view name, const std::string& value) {
            out.key(name), value.empty() ? out.null() : out.string(value);
        };
        out.begin_object();
        out.key("defaults"), out.begin_array();
        for (const Choice& choice : recipe.defaults) {
            Position at = command.sources.position(choice.where.begin);
            out.begin_object();
            text("group", choice.group);
            out.key("package"), out.string(choice.package);
            text("option", choice.self ? "_self_" : choice.option);
            text("file", choice.file.string());
            text("parent", choice.parent.string());
            out.key("merged"), out.boolean(!choice.shadowed);
            text("chosen_in", at.file);
            out.key("line"), at.line == 0 ? out.null() : out.integer(at.line);
            out.key("column"), at.column == 0 ? out.null() : out.integer(at.column);
            out.end_object();
        }
        out.end_array();
        out.key("hidden"), out.begin_array();
        for (const HiddenFile& one : hidden) {
            out.begin_object();
            out.key("file"), out.string(one.file.string());
            out.key("by"), out.string(one.by.string());
            out.end_object();
        }
        out.end_array();
        out.end_object();
    });
}

std::string facts_text(const Command& command,
                       const std::string& key,
                       const KeyFacts& facts,
                       const std::vector<SetBy>& origins) {
    std::string out = escape_controls(key) + "\n";
    TwoColumns rows(command.columns, 7);
    auto row = [&](std::string_view name, const std::string& text) {
        if (!text.empty())
            out += rows.row(name, escape_controls(text));
    };
    row("value", facts.value ? one_line(*facts.value, 400) : "not set");
    if (const auto& help = facts.help) {
        row("type", help->type);
        row("default", help->default_value ? one_line(*help->default_value, 200) : "");
        row("unit", help->unit);
        row("help", help->description);
    } else if (facts.value) {
        row("type", std::string(kind_name(facts.value->kind)));
    }
    if (!facts.keys.empty())
        row("keys", join(facts.keys, "and"));
    if (origins.empty())
        return out;
    out += "Set by, the last one counts\n";
    int left = 0;
    for (const SetBy& origin : origins)
        left = std::max(left, display_width(origin.place));
    TwoColumns places(command.columns, std::min(left, 50));
    for (const SetBy& origin : origins) {
        std::string value = one_line(*origin.node);
        if (!origin.key.empty())
            value = fmt::format("{}, of {}", value, origin.key);
        out += places.row(escape_controls(origin.place), escape_controls(value));
    }
    return out;
}

/// The recipe as far as it can be told: what its mistakes are is `check`'s to say.
void warn_of_mistakes(Command& command, const Diagnostics& mistakes, const Word& recipe) {
    if (mistakes.ok())
        return;
    command.diagnostics
        .warning(0,
                 {},
                 fmt::format("the recipe has {}, so that some of this may be missing",
                             plural(mistakes.errors(), "mistake")))
        .with_hint(fmt::format("`stillroom check {}` shows them", shell_word(recipe.text)));
}

void explain_key(Command& command,
                 const Word& key,
                 const Catalog& catalog,
                 const Request& request,
                 const Recipe& recipe) {
    Diagnostics mistakes;
    Checked checked =
        check(command.sources, recipe, catalog, check_options(command, request), mistakes);
    KeyFacts facts = facts_of(split_path(key.text), recipe.root, checked.root, catalog);
    if (!facts.value && !facts.help) {
        std::string hint;
        if (!facts.neighbours.empty()) {  // compared with the part of the key that is as deep
            const std::string& any = facts.neighbours.front();
            std::vector<std::string> parts = split(key.text, '.');
            auto depth = static_cast<std::size_t>(std::count(any.begin(), any.end(), '.')) + 1;
            parts.resize(std::min(parts.size(), depth));
            hint = did_you_mean(fmt::format("{}", fmt::join(parts, ".")), facts.neighbours);
        }
        if (hint.empty() && !facts.neighbours.empty() && facts.neighbours.size() <= 12)
            hint = fmt::format("there is {}", join(facts.neighbours, "and"));
        if (hint.empty() && !facts.neighbours.empty()) {
            const std::string& any = facts.neighbours.front();
            hint = fmt::format("`stillroom explain {} {}` lists the keys",
                               shell_word(command.line.words.front().text),
                               shell_word(any.substr(0, any.rfind('.'))));
        }
        command.diagnostics.error(0, key.where, fmt::format("the recipe has no key '{}'", key.text))
            .with_hint(hint);
        return;
    }
    warn_of_mistakes(command, mistakes, command.line.words.front());
    std::vector<SetBy> origins;
    if (facts.value)
        origins = origins_through_references(
            split_path(key.text), *facts.value, recipe.root, command.sources);
    // The schema's default comes first in the chain: it is what a file replaced.
    bool has_default = std::any_of(origins.begin(), origins.end(), [](const SetBy& origin) {
        return origin.node->origin == Origin::schema_default;
    });
    NodePtr fallback = facts.help ? facts.help->default_value : nullptr;
    if (fallback && !has_default) {
        SetBy origin{fallback.get(), command.sources.position(fallback->where.begin).text(), ""};
        origins.insert(origins.begin(), origin);
    }
    command.text = facts_text(command, key.text, facts, origins);
    command.write_result([&](JsonWriter& out) {
        auto text = [&](std::string_view name, const std::string& value) {
            out.key(name), value.empty() ? out.null() : out.string(value);
        };
        out.begin_object();
        out.key("key"), out.string(key.text);
        out.key("value"), facts.value ? write_json(out, *facts.value) : out.null();
        KeyHelp help = facts.help.value_or(KeyHelp{});
        bool untold = help.type.empty() && facts.value;
        text("type", untold ? std::string(kind_name(facts.value->kind)) : help.type);
        out.key("default"), fallback ? write_json(out, *fallback) : out.null();
        text("unit", help.unit);
        text("help", help.description);
        out.key("origins"), write_origins(out, origins, command.sources);
        out.end_object();
    });
}

}  // namespace

void run_explain(Command& command) {
    const std::vector<Word>& words = command.line.words;
    bool has_key = words.size() > 1 && !is_override(words[1].text);
    bool of_defaults = command.line.has("--defaults") || !has_key;
    Catalog catalog(command.sources, schema_folders());
    std::optional<Request> found = recipe_request(command, words.front(), has_key ? 2 : 1);
    if (!found)
        return;
    Request& request = *found;
    request.catalog = &catalog;
    request.choices_may_be_open = true;
    std::optional<Recipe> recipe = compose(command.sources, request, command.diagnostics);
    if (!recipe || !command.diagnostics.ok())
        return;
    if (of_defaults)
        explain_defaults(command, *recipe);
    else
        explain_key(command, words[1], catalog, request, *recipe);
}

}  // namespace stillroom::cli
