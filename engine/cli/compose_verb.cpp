#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/cli/command.h"
#include "engine/cli/diff_runs.h"
#include "engine/cli/origins.h"
#include "engine/cli/recipe_input.h"
#include "engine/cli/run_verbs.h"
#include "engine/recipe/jobs.h"
#include "engine/schema/catalog.h"

#include <fmt/format.h>

#include <set>

namespace stillroom::cli {
namespace {

/// The keys of a tree, each as a path, for "did you mean".
std::vector<std::string> all_paths(const Node& root) {
    std::set<std::string> paths;
    for_each_leaf(root, [&](const std::string& path, const Node&) {
        for (std::size_t dot = path.find('.'); dot != std::string::npos;
             dot = path.find('.', dot + 1))
            paths.insert(path.substr(0, dot));
        paths.insert(path);
    });
    return {paths.begin(), paths.end()};
}

/// The part of the tree that --package names, or the whole.
NodePtr chosen_part(Command& command, const NodePtr& root) {
    const Word* wanted = command.line.value("--package");
    if (!wanted)
        return root;
    NodePtr part = look_up(root, split_path(wanted->text));
    if (!part)
        command.diagnostics
            .error(0, wanted->where, fmt::format("package '{}' not found", wanted->text))
            .with_hint(did_you_mean(wanted->text, all_paths(*root)));
    return part;
}

void write_value(JsonWriter& out, const Command& command, const Node& value) {
    if (!command.line.has("--origins")) {
        write_json(out, value);
        return;
    }
    out.begin_object();
    out.key("value"), write_json(out, value);
    out.key("origins"), out.begin_object();
    for_each_leaf(value, [&](const std::string& path, const Node& leaf) {
        out.key(path), write_origins(out, origins_of(leaf, command.sources), command.sources);
    });
    out.end_object();
    out.end_object();
}

/// Text with `${` in it, after resolving, is literal: written so that it reads back as that.
NodePtr with_escapes(const NodePtr& value) {
    std::shared_ptr<Node> out = copy(*value);
    for (NodePtr& item : out->items)
        item = with_escapes(item);
    for (Entry& entry : out->entries)
        entry.value = with_escapes(entry.value);
    if (value->kind != Kind::string || value->secret)
        return out;
    for (std::size_t at = 0; (at = out->text.find("${", at)) != std::string::npos; at += 2) {
        std::size_t first = at;
        while (first > 0 && out->text[first - 1] == '\\')
            --first;
        std::string slashes(at - first + 1, '\\');  // those before it count double, and one more
        out->text.insert(at, slashes);
        at += slashes.size();
    }
    return out;
}

std::string yaml_text(const Command& command, const NodePtr& value) {
    NodePtr shown = command.line.has("--resolve") ? with_escapes(value) : value;
    return command.line.has("--origins") ? yaml_with_origins(*shown, command.sources)
                                         : to_yaml(*shown);
}

/// What one recipe shows: resolved if that is asked, and only the part that is asked.
NodePtr finished(Command& command, const Recipe& recipe) {
    NodePtr root = recipe.root;
    if (command.line.has("--resolve"))
        root = resolve(root, resolve_options(command), command.diagnostics);
    if (root)
        refuse_leading_zeros(*root, command.diagnostics);
    if (!root || !command.diagnostics.ok())
        return nullptr;
    return chosen_part(command, root);
}

void show_jobs(Command& command, const Request& request) {
    std::vector<JobRecipe> jobs = compose_jobs(command.sources, request, command.diagnostics);
    JsonWriter out(2);
    out.begin_array();
    for (const JobRecipe& job : jobs) {
        NodePtr value = finished(command, job.recipe);
        if (!value)
            return;
        out.begin_object();
        out.key("id"), out.string(job.id);
        out.key("overrides"), out.begin_array();
        for (const std::string& text : job.overrides)
            out.string(text);
        out.end_array();
        out.key("recipe"), write_value(out, command, *value);
        out.end_object();
        if (!command.json())
            command.text += fmt::format("{}# job {}: {}\n{}",
                                        command.text.empty() ? "" : "---\n",
                                        job.id,
                                        fmt::join(job.overrides, " "),
                                        yaml_text(command, value));
    }
    out.end_array();
    if (command.json())
        command.text = out.take() + "\n";
}

}  // namespace

void run_compose(Command& command) {
    command.bare_value = true;
    std::optional<Request> request = recipe_request(command, command.line.words.front(), 1);
    if (!request)
        return;
    Catalog catalog(command.sources, schema_folders());
    request->catalog = &catalog;
    if (command.line.has("--multirun")) {
        show_jobs(command, *request);
        return;
    }
    std::optional<Recipe> recipe = compose(command.sources, *request, command.diagnostics);
    NodePtr value = recipe && command.diagnostics.ok() ? finished(command, *recipe) : nullptr;
    if (!value)
        return;
    if (!command.json()) {
        command.text = yaml_text(command, value);
        return;
    }
    JsonWriter out(2);
    write_value(out, command, *value);
    command.text = out.take() + "\n";
}

void run_diff(Command& command) {
    if (are_runs(command))
        return diff_runs(command);
    struct Side {
        const Node* a = nullptr;
        const Node* b = nullptr;
    };
    std::vector<std::string> order;
    std::unordered_map<std::string, Side> sides;
    std::vector<Recipe> kept;
    Catalog catalog(command.sources, schema_folders());
    for (const Word& word : command.line.words) {
        std::optional<Request> request = recipe_request(command, word, command.line.words.size());
        if (!request)
            continue;
        request->catalog = &catalog;
        std::optional<Recipe> recipe = compose(command.sources, *request, command.diagnostics);
        if (recipe)
            kept.push_back(std::move(*recipe));
    }
    if (!command.diagnostics.ok() || kept.size() != 2)
        return;
    for (std::size_t i = 0; i < kept.size(); ++i)
        for_each_leaf(*kept[i].root, [&](const std::string& path, const Node& value) {
            auto [side, is_new] = sides.try_emplace(path);
            if (is_new)
                order.push_back(path);
            (i == 0 ? side->second.a : side->second.b) = &value;
        });

    auto differs = [](const Side& side) {
        return !side.a || !side.b || !deep_equal(*side.a, *side.b);
    };
    std::erase_if(order, [&](const std::string& path) { return !differs(sides[path]); });
    for (const std::string& path : order) {
        const Side& side = sides[path];
        std::string name = escape_controls(path);
        if (side.a)
            command.text += fmt::format("- {}: {}\n", name, one_line(*side.a));
        if (side.b)
            command.text += fmt::format("+ {}: {}\n", name, one_line(*side.b));
    }
    command.write_result([&](JsonWriter& out) {
        auto value = [&](std::string_view name, const Node* node) {
            out.key(name), node ? write_json(out, *node) : out.null();
        };
        out.begin_object();
        out.key("recipe"), out.begin_array();
        for (const std::string& path : order) {
            out.begin_object();
            out.key("key"), out.string(path);
            value("a", sides[path].a);
            value("b", sides[path].b);
            out.end_object();
        }
        out.end_array();
        out.end_object();
    });
}

}  // namespace stillroom::cli
