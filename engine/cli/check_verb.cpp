#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/cli/checked_jobs.h"
#include "engine/cli/command.h"
#include "engine/cli/locking.h"
#include "engine/cli/recipe_input.h"
#include "engine/cli/run_verbs.h"
#include "engine/plan/graph.h"
#include "engine/plan/report.h"
#include "engine/recipe/check.h"
#include "engine/schema/catalog.h"

#include <fmt/format.h>

namespace stillroom::cli {
namespace {

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

void show_jobs(Command& command, const Request& request, const CheckedJobs& all) {
    JsonWriter out;
    out.begin_object();
    out.key("file"), out.string(request.recipe.string());
    out.key("jobs"), out.begin_array();
    for (const CheckedJob& job : all.jobs) {
        out.begin_object();
        out.key("id"), out.string(job.id);
        out.key("ok"), out.boolean(job.ok);
        out.key("overrides"), out.begin_array();
        for (const std::string& text : job.overrides)
            out.string(text);
        out.end_array();
        if (job.ok)
            write_stages(out, job.checked);
        out.end_object();
        command.text += fmt::format(
            "{} {}\n", job.id, escape_controls(fmt::format("{}", fmt::join(job.overrides, " "))));
    }
    out.end_array();
    out.end_object();
    command.result = out.take();
    command.text += fmt::format("{}: {}, no mistakes\n",
                                escape_controls(request.recipe.string()),
                                plural(all.jobs.size(), "job"));
    if (!command.diagnostics.ok())
        command.text.clear();
}

/// What each stage would do, where there is a store that could know. Whether it can is the plan's
/// to say.
std::vector<std::string> states_of(const Command& command, const Graph& graph) {
    std::vector<std::string> states;
    Store store(store_of(command));
    std::error_code ignored;
    if (!std::filesystem::is_directory(store.folder(), ignored))
        return states;
    Diagnostics unsaid;
    PlanOptions options;
    options.explain = false;
    for (const PlannedStage& stage : make_plan(graph, store, options, unsaid).stages)
        states.emplace_back(state_name(stage.state));
    return states;
}

}  // namespace

void run_check(Command& command) {
    Catalog catalog(command.sources, schema_folders());
    std::optional<Request> found = recipe_request(command, command.line.words.front(), 1);
    if (!found)
        return;
    Request& request = *found;
    request.catalog = &catalog;
    CheckedJobs all = checked_jobs(command, catalog, request, command.line.has("--multirun"));
    if (all.swept)
        return show_jobs(command, request, all);
    if (!command.diagnostics.ok())
        return;
    const Checked& checked = all.jobs.front().checked;
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
    std::optional<CheckedJob> job = checked_recipe(command, catalog, command.line.words.front(), 1);
    if (!job)
        return;
    Graph graph = build_graph(job->checked);
    std::vector<std::string> states = states_of(command, graph);
    const Word* word = command.line.value("--format");
    std::string_view format = word ? std::string_view(word->text) : "text";
    command.text = draw(graph,
                        format == "dot"       ? GraphFormat::dot
                        : format == "mermaid" ? GraphFormat::mermaid
                                              : GraphFormat::text,
                        states);
    command.write_result([&](JsonWriter& out) {
        out.begin_object();
        out.key("stages"), out.begin_array();
        for (std::size_t i = 0; i < graph.stages.size(); ++i) {
            const CheckedStage& stage = graph.stages[i];
            out.begin_object();
            out.key("name"), out.string(stage.name);
            out.key("use"), out.string(stage.use);
            out.key("inserted"), out.boolean(stage.inserted);
            out.key("state"), states.empty() ? out.null() : out.string(states[i]);
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
