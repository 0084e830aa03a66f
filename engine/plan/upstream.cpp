#include "engine/plan/upstream.h"

#include "engine/base/json.h"
#include "engine/plan/describe.h"

#include <algorithm>
#include <string_view>
#include <vector>

namespace stillroom {
namespace {

/// Which stages `stage` stands on: edges lead from earlier stages to later ones.
std::vector<bool> upstream_of(const Graph& graph, std::size_t stage) {
    std::vector<bool> found(graph.stages.size(), false);
    std::vector<std::size_t> next = {stage};
    while (!next.empty()) {
        std::size_t to = next.back();
        next.pop_back();
        for (const Edge& edge : graph.edges)
            if (edge.to == to && !edge.output.empty() && !found[edge.from]) {
                found[edge.from] = true;
                next.push_back(edge.from);
            }
    }
    return found;
}

/// True for a key that somebody wrote, and for a map in which somebody wrote one.
bool is_given(const std::vector<std::string>& given, std::string_view key) {
    return std::any_of(given.begin(), given.end(), [&](std::string_view path) {
        return path.starts_with(key) && (path.size() == key.size() || path[key.size()] == '.');
    });
}

void write_stage(JsonWriter& out, const Graph& graph, std::size_t index) {
    const CheckedStage& stage = graph.stages[index];
    out.begin_object();
    out.key("name"), out.string(stage.name);
    out.key("use"), out.string(stage.use);
    out.key("inputs"), out.begin_array();
    for (const Input& input : stage.inputs)
        for (const Feed& feed : input.feeds)
            out.string(feed.stage);
    out.end_array();
    out.key("settings"), out.begin_object();
    // A loader that the engine put in has its source from whoever named it.
    std::vector<std::string> given = given_settings(*stage.settings);
    for (const Entry& entry : stage.settings->entries)
        if (is_given(given, entry.key))
            out.key(entry.key), write_json(out, *entry.value);
    out.end_object();
    out.end_object();
}

}  // namespace

std::string upstream_text(const Graph& graph, std::size_t stage) {
    std::vector<bool> wanted = upstream_of(graph, stage);
    JsonWriter out;
    out.begin_array();
    for (std::size_t i = 0; i < wanted.size(); ++i)
        if (wanted[i])
            write_stage(out, graph, i);
    out.end_array();
    return out.take();
}

}  // namespace stillroom
