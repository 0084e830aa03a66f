#include "engine/plan/graph.h"

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/document/scalar.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>
#include <queue>
#include <unordered_map>

namespace stillroom {
namespace {

using Index = std::unordered_map<std::string_view, std::size_t>;

Index index_of(const std::vector<CheckedStage>& stages) {
    Index index;
    for (std::size_t i = 0; i < stages.size(); ++i)
        index.emplace(stages[i].name, i);
    return index;
}

/// Edges between the stages in the order they have, data first, then `after`.
std::vector<Edge> find_edges(const std::vector<CheckedStage>& stages) {
    Index index = index_of(stages);
    std::vector<Edge> edges;
    for (std::size_t to = 0; to < stages.size(); ++to) {
        for (const Input& input : stages[to].inputs)
            for (const Feed& feed : input.feeds)
                edges.push_back({index.at(feed.stage), to, feed.output, input.port, input.type});
        for (const std::string& name : stages[to].after)
            edges.push_back({index.at(name), to, "", "", ""});
    }
    return edges;
}

/// Positions in the order of running: every stage after what it needs, of those that can go the one
/// written first.
std::vector<std::size_t> sort_stages(std::size_t count, const std::vector<Edge>& edges) {
    std::vector<std::size_t> needs(count, 0);
    std::vector<std::vector<std::size_t>> feeds(count);
    for (const Edge& edge : edges) {
        ++needs[edge.to];
        feeds[edge.from].push_back(edge.to);
    }
    std::priority_queue<std::size_t, std::vector<std::size_t>, std::greater<>> ready;
    for (std::size_t i = 0; i < count; ++i)
        if (needs[i] == 0)
            ready.push(i);
    std::vector<std::size_t> order;
    while (!ready.empty()) {
        std::size_t next = ready.top();
        ready.pop();
        order.push_back(next);
        for (std::size_t to : feeds[next])
            if (--needs[to] == 0)
                ready.push(to);
    }
    return order;
}

std::string feed_text(const Graph& graph, const Edge& edge) {
    const std::string& from = graph.stages[edge.from].name;
    if (edge.port.empty())
        return "after " + from;
    return fmt::format("{} <- {}.{}", edge.port, from, edge.output);
}

using States = std::vector<std::string>;

std::string draw_text(const Graph& graph, const States& states) {
    std::size_t names = 0, types = 0, words = 0;
    for (const std::string& state : states)
        words = std::max(words, state.size());
    for (const CheckedStage& stage : graph.stages) {
        names = std::max(names, stage.name.size());
        types = std::max(types, stage.use.size());
    }
    std::vector<std::vector<std::string>> inputs(graph.stages.size());
    for (const Edge& edge : graph.edges)
        inputs[edge.to].push_back(feed_text(graph, edge));
    std::string out;
    for (std::size_t i = 0; i < graph.stages.size(); ++i) {
        const CheckedStage& stage = graph.stages[i];
        std::string line = fmt::format("{:<{}}  {:<{}}", stage.name, names, stage.use, types);
        if (!states.empty())
            line += fmt::format("  {:<{}}", states[i], words);
        for (const std::string& input : inputs[i])
            line += (&input == &inputs[i].front() ? "  " : ", ") + input;
        line.erase(line.find_last_not_of(' ') + 1);
        out += line + "\n";
    }
    for (const auto& [name, feed] : graph.outputs)
        out += fmt::format("output {} <- {}.{}\n", name, feed.stage, feed.output);
    return out;
}

std::string draw_dot(const Graph& graph, const States& states) {
    std::string out =
        "digraph recipe {\n  rankdir=LR;\n  node [shape=box, fontname=\"sans-serif\"];\n";
    for (std::size_t i = 0; i < graph.stages.size(); ++i) {
        const CheckedStage& stage = graph.stages[i];
        std::string label =
            stage.name + "\n" + stage.use + (states.empty() ? "" : "\n" + states[i]);
        out += fmt::format("  {} [label={}{}{}];\n",
                           json_quoted(stage.name),
                           json_quoted(label),
                           stage.inserted ? ", style=dashed" : "",
                           !states.empty() && states[i] == "cached" ? ", color=gray" : "");
    }
    for (const Edge& edge : graph.edges)
        out += fmt::format("  {} -> {} [{}];\n",
                           json_quoted(graph.stages[edge.from].name),
                           json_quoted(graph.stages[edge.to].name),
                           edge.port.empty() ? "style=dotted" : "label=" + json_quoted(edge.port));
    return out + "}\n";
}

std::string draw_mermaid(const Graph& graph, const States& states) {
    // Mermaid's own names take few characters, so stages are numbered.
    std::string out = "flowchart LR\n";
    auto quoted = [](std::string text) {
        for (std::size_t at = 0; (at = text.find('"', at)) != std::string::npos; at += 6)
            text.replace(at, 1, "#quot;");
        return "\"" + text + "\"";
    };
    for (std::size_t i = 0; i < graph.stages.size(); ++i)
        out += fmt::format("  s{}[{}]\n",
                           i,
                           quoted(graph.stages[i].name + "<br/>" + graph.stages[i].use +
                                  (states.empty() ? "" : "<br/>" + states[i])));
    for (const Edge& edge : graph.edges)
        out += edge.port.empty()
                   ? fmt::format("  s{} -.-> s{}\n", edge.from, edge.to)
                   : fmt::format("  s{} -->|{}| s{}\n", edge.from, quoted(edge.port), edge.to);
    return out;
}

}  // namespace

int ranks_of(const CheckedStage& stage) {
    NodePtr ranks = stage.engine ? stage.engine->get("ranks") : nullptr;
    std::optional<Decimal> count = ranks ? decimal_value(*ranks) : std::nullopt;
    return count ? static_cast<int>(count->to_int64().value_or(1)) : 1;
}

Graph build_graph(const Checked& checked) {
    Graph graph;
    std::vector<std::size_t> order = sort_stages(checked.stages.size(), find_edges(checked.stages));
    for (std::size_t position : order)
        graph.stages.push_back(checked.stages[position]);
    graph.edges = find_edges(graph.stages);
    graph.outputs = checked.outputs;
    return graph;
}

std::string draw(const Graph& graph, GraphFormat format, const std::vector<std::string>& states) {
    switch (format) {
        case GraphFormat::dot:
            return draw_dot(graph, states);
        case GraphFormat::mermaid:
            return draw_mermaid(graph, states);
        case GraphFormat::text:
            break;
    }
    return draw_text(graph, states);
}

}  // namespace stillroom
