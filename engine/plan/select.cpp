#include "engine/base/sha256.h"
#include "engine/plan/plan.h"

#include <fmt/format.h>

namespace stillroom {

std::set<std::size_t> stages_named(const Graph& graph, const std::string& name) {
    std::set<std::size_t> found;
    for (std::size_t i = 0; i < graph.stages.size(); ++i)
        if (graph.stages[i].name == name || graph.stages[i].name.starts_with(name + "/"))
            found.insert(i);
    return found;
}

std::set<std::size_t> stages_from(const Graph& graph, const std::string& name) {
    std::set<std::size_t> chosen = stages_named(graph, name);
    for (const Edge& edge : graph.edges)  // in the order of `to`: one pass reaches all
        if (chosen.contains(edge.from))
            chosen.insert(edge.to);
    return chosen;
}

std::set<std::size_t> stages_up_to(const Graph& graph, const std::string& name) {
    std::set<std::size_t> chosen = stages_named(graph, name);
    for (auto edge = graph.edges.rbegin(); edge != graph.edges.rend(); ++edge)
        if (chosen.contains(edge->to))
            chosen.insert(edge->from);
    return chosen;
}

Part part_of(Graph graph, const std::set<std::size_t>& chosen) {
    std::set<std::size_t> kept = chosen;
    for (auto edge = graph.edges.rbegin(); edge != graph.edges.rend(); ++edge)
        if (kept.contains(edge->to) && !edge->port.empty())
            kept.insert(edge->from);
    Part part;
    std::vector<std::size_t> place(graph.stages.size());
    for (std::size_t stage : kept) {
        place[stage] = part.graph.stages.size();
        if (chosen.contains(stage))
            part.chosen.insert(place[stage]);
        part.graph.stages.push_back(std::move(graph.stages[stage]));
    }
    for (Edge& edge : graph.edges)
        if (kept.contains(edge.from) && kept.contains(edge.to)) {
            edge.from = place[edge.from];
            edge.to = place[edge.to];
            part.graph.edges.push_back(std::move(edge));
        }
    for (const CheckedStage& stage : part.graph.stages)
        for (const auto& [name, feed] : graph.outputs)
            if (feed.stage == stage.name)
                part.graph.outputs.emplace(name, feed);
    return part;
}

std::vector<std::string> stage_identities(const Graph& graph) {
    std::vector<std::string> identities;
    auto edge = graph.edges.begin();
    for (std::size_t i = 0; i < graph.stages.size(); ++i) {
        KeyParts parts;
        for (; edge != graph.edges.end() && edge->to == i; ++edge)
            if (!edge->port.empty())
                parts.inputs[edge->port].push_back(identities[edge->from] + "." + edge->output);
        std::string text = key_record(graph.stages[i], parts);
        for (const OutsidePath& path : written_paths(graph.stages[i]))
            text += "\n" + path.text;
        identities.push_back(sha256_hex(text));
    }
    return identities;
}

}  // namespace stillroom
