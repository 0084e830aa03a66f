#include "engine/base/sha256.h"
#include "engine/plan/plan.h"

#include <fmt/format.h>

namespace stillroom {
namespace {

/// The stage of that name, or those of the sub-recipe of that name.
std::set<std::size_t> named(const Graph& graph, const std::string& name) {
    std::set<std::size_t> found;
    for (std::size_t i = 0; i < graph.stages.size(); ++i)
        if (graph.stages[i].name == name || graph.stages[i].name.starts_with(name + "/"))
            found.insert(i);
    return found;
}

}  // namespace

std::set<std::size_t> stages_from(const Graph& graph, const std::string& name) {
    std::set<std::size_t> chosen = named(graph, name);
    for (const Edge& edge : graph.edges)  // in the order of `to`: one pass reaches all
        if (chosen.contains(edge.from))
            chosen.insert(edge.to);
    return chosen;
}

std::set<std::size_t> stages_up_to(const Graph& graph, const std::string& name) {
    std::set<std::size_t> chosen = named(graph, name);
    for (auto edge = graph.edges.rbegin(); edge != graph.edges.rend(); ++edge)
        if (chosen.contains(edge->to))
            chosen.insert(edge->from);
    return chosen;
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
