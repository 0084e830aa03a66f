#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/cli/command.h"
#include "engine/cli/locking.h"
#include "engine/cli/recipe_input.h"
#include "engine/cli/run_verbs.h"
#include "engine/plan/graph.h"
#include "engine/recipe/check.h"
#include "engine/recipe/jobs.h"
#include "engine/schema/catalog.h"

#include <fmt/format.h>

#include <set>
#include <tuple>

namespace stillroom::cli {
namespace {

/// What was said already: code, place and message. Each job reads the files anew, so a place is
/// told by its name, not by where the text lies.
using Said = std::set<std::tuple<int, std::string, std::string>>;

/// What is said of every job of a sweep is said once.
void add_new(Command& command, const Diagnostics& some, Said& said) {
    for (const Diagnostic& one : some.all()) {
        std::string place = command.sources.position(one.where.begin).text();
        if (said.emplace(one.code, place, one.message).second)
            command.diagnostics.add(one);
    }
}

void write_stages(JsonWriter& out, const Checked& checked) {
    out.key("stages"), out.begin_array();
    for (const CheckedStage& stage : checked.stages) {
        out.begin_object();
        out.key("name"), out.string(stage.name);
        out.key("use"), out.string(stage.use);
        out.key("inserted"), out.boolean(stage.inserted);
        out.end_object();
    }
    out.end_array();
    out.key("outputs"), out.begin_object();
    for (const auto& [name, feed] : checked.outputs)
        out.key(name), out.string(fmt::format("{}.{}", feed.stage, feed.output));
    out.end_object();
}

std::string verdict(const Command& command, const Request& request, std::size_t stages) {
    std::size_t warnings = command.diagnostics.all().size() - command.diagnostics.errors();
    return fmt::format("{}: {}, no mistakes{}\n",
                       escape_controls(request.recipe.string()),
                       plural(stages, "stage"),
                       warnings == 0 ? "" : fmt::format(", {}", plural(warnings, "warning")));
}

void check_jobs(Command& command, const Catalog& catalog, const Request& request) {
    Said said;
    Diagnostics composing;
    std::vector<JobRecipe> jobs = compose_jobs(command.sources, request, composing);
    add_new(command, composing, said);
    JsonWriter out;
    out.begin_object();
    out.key("file"), out.string(request.recipe.string());
    out.key("jobs"), out.begin_array();
    for (const JobRecipe& job : jobs) {
        Diagnostics checking;
        Checked checked =
            check(command.sources, job.recipe, catalog, check_options(command, request), checking);
        add_new(command, checking, said);
        if (checking.ok() && command.line.has("--locked"))
            check_locked(command, request, checked);
        out.begin_object();
        out.key("id"), out.string(job.id);
        out.key("ok"), out.boolean(checking.ok());
        out.key("overrides"), out.begin_array();
        for (const std::string& text : job.overrides)
            out.string(text);
        out.end_array();
        if (checking.ok())
            write_stages(out, checked);
        out.end_object();
        command.text += fmt::format(
            "{} {}\n", job.id, escape_controls(fmt::format("{}", fmt::join(job.overrides, " "))));
    }
    out.end_array();
    out.end_object();
    command.result = out.take();
    command.text += fmt::format("{}: {}, no mistakes\n",
                                escape_controls(request.recipe.string()),
                                plural(jobs.size(), "job"));
    if (!command.diagnostics.ok())
        command.text.clear();
}

}  // namespace

void run_check(Command& command) {
    Catalog catalog(command.sources, schema_folders());
    std::optional<Request> found = recipe_request(command, command.line.words.front(), 1);
    if (!found)
        return;
    Request& request = *found;
    request.catalog = &catalog;
    if (command.line.has("--multirun")) {
        check_jobs(command, catalog, request);
        return;
    }
    Diagnostics composing;
    std::optional<Recipe> recipe = compose(command.sources, request, composing);
    if (recipe && recipe->root && recipe->root->find("sweep")) {
        check_jobs(command, catalog, request);
        return;
    }
    for (const Diagnostic& diagnostic : composing.all())
        command.diagnostics.add(diagnostic);
    if (!recipe)
        return;
    Checked checked = check(
        command.sources, *recipe, catalog, check_options(command, request), command.diagnostics);
    if (!command.diagnostics.ok())
        return;
    if (command.line.has("--locked") && !check_locked(command, request, checked))
        return;
    command.text = verdict(command, request, checked.stages.size());
    command.write_result([&](JsonWriter& out) {
        out.begin_object();
        out.key("recipe"), out.string(checked.recipe);
        out.key("file"), out.string(request.recipe.string());
        write_stages(out, checked);
        out.end_object();
    });
}

void run_graph(Command& command) {
    Catalog catalog(command.sources, schema_folders());
    std::optional<Request> found = recipe_request(command, command.line.words.front(), 1);
    if (!found)
        return;
    Request& request = *found;
    request.catalog = &catalog;
    std::optional<Recipe> recipe = compose(command.sources, request, command.diagnostics);
    if (!recipe || !command.diagnostics.ok())
        return;
    Checked checked = check(
        command.sources, *recipe, catalog, check_options(command, request), command.diagnostics);
    if (!command.diagnostics.ok())
        return;
    Graph graph = build_graph(checked);
    const Word* word = command.line.value("--format");
    std::string_view format = word ? std::string_view(word->text) : "text";
    command.text = draw(graph,
                        format == "dot"       ? GraphFormat::dot
                        : format == "mermaid" ? GraphFormat::mermaid
                                              : GraphFormat::text);
    command.write_result([&](JsonWriter& out) {
        out.begin_object();
        out.key("stages"), out.begin_array();
        for (const CheckedStage& stage : graph.stages) {
            out.begin_object();
            out.key("name"), out.string(stage.name);
            out.key("use"), out.string(stage.use);
            out.key("inserted"), out.boolean(stage.inserted);
            out.end_object();
        }
        out.end_array();
        out.key("edges"), out.begin_array();
        for (const Edge& edge : graph.edges) {
            auto text = [&](std::string_view name, const std::string& value) {
                out.key(name), value.empty() ? out.null() : out.string(value);
            };
            out.begin_object();
            text("from", graph.stages[edge.from].name);
            text("output", edge.output);
            text("to", graph.stages[edge.to].name);
            text("port", edge.port);
            text("type", edge.type);
            out.end_object();
        }
        out.end_array();
        out.key("drawing"), out.string(command.text);
        out.end_object();
    });
}

}  // namespace stillroom::cli
