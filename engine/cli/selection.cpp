#include "engine/cli/selection.h"

#include "engine/base/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::cli {
namespace {

std::vector<std::string> texts(const std::vector<Word>& words) {
    std::vector<std::string> all;
    for (const Word& word : words)
        all.push_back(word.text);
    return all;
}

/// The names of stages and of the sub-recipes around them.
std::set<std::string> names_of(const std::vector<Graph>& graphs) {
    std::set<std::string> names;
    for (const Graph& graph : graphs)
        for (const CheckedStage& stage : graph.stages) {
            names.insert(stage.name);
            for (std::size_t slash = stage.name.find('/'); slash != std::string::npos;
                 slash = stage.name.find('/', slash + 1))
                names.insert(stage.name.substr(0, slash));
        }
    return names;
}

std::set<std::size_t> chosen_of(const Graph& graph, const Selection& selection) {
    std::set<std::size_t> chosen;
    for (std::size_t stage = 0; stage < graph.stages.size(); ++stage)
        chosen.insert(stage);
    auto keep = [&](const std::vector<std::string>& names, auto&& stages_of) {
        if (names.empty())
            return;
        std::set<std::size_t> wanted;
        for (const std::string& name : names)
            wanted.merge(stages_of(graph, name));
        std::erase_if(chosen, [&](std::size_t stage) { return !wanted.contains(stage); });
    };
    keep(selection.only, stages_up_to);
    keep(selection.from, stages_from);
    return chosen;
}

}  // namespace

void refuse_stage(Command& command, const std::set<std::string>& names, const std::string& name) {
    Span where;
    for (const char* option : {"--only", "--from", "--force"})
        for (const Word& word : command.line.values(option))
            if (word.text == name)
                where = word.where;
    std::vector<std::string> all(names.begin(), names.end());
    std::string hint = did_you_mean(name, all);
    command.diagnostics
        .error(0, where, fmt::format("there is no stage '{}'", escape_controls(name)))
        .with_hint(hint.empty() ? "`stillroom plan RECIPE` lists them" : hint);
}

Selection selection_of(const Command& command) {
    return {texts(command.line.values("--only")),
            texts(command.line.values("--from")),
            texts(command.line.values("--force"))};
}

std::vector<Part> select_stages(Command& command,
                                const CheckedJobs& jobs,
                                const Selection& selection) {
    std::vector<Graph> graphs;
    for (const CheckedJob& job : jobs.jobs)
        graphs.push_back(build_graph(job.checked));
    std::set<std::string> given;
    for (const std::vector<std::string>* some :
         {&selection.only, &selection.from, &selection.force})
        given.insert(some->begin(), some->end());
    std::set<std::string> names = given.empty() ? given : names_of(graphs);
    for (const std::string& name : given)
        if (!names.contains(name))
            refuse_stage(command, names, name);
    if (!command.diagnostics.ok())
        return {};
    std::vector<Part> parts;
    for (Graph& graph : graphs) {
        std::set<std::size_t> chosen = chosen_of(graph, selection);
        parts.push_back(part_of(std::move(graph), chosen));
    }
    return parts;
}

std::set<std::string> forced_stages(const Graph& graph, const Selection& selection) {
    std::set<std::string> names;
    for (const std::string& name : selection.force)
        for (std::size_t stage : stages_named(graph, name))
            names.insert(graph.stages[stage].name);
    return names;
}

bool check_left_out(Command& command, const Plan& plan, const std::set<std::size_t>& chosen) {
    const Graph& graph = plan.graph;
    for (const Edge& edge : graph.edges) {
        if (!chosen.contains(edge.to) || chosen.contains(edge.from) || edge.port.empty() ||
            plan.stages[edge.from].state == StageState::cached)
            continue;
        command.diagnostics
            .error(0,
                   graph.stages[edge.from].where,
                   fmt::format("'{}' is not in the store, and --from leaves it out",
                               graph.stages[edge.from].name))
            .with_hint("run without --from, or from an earlier stage");
        return false;
    }
    return true;
}

}  // namespace stillroom::cli
