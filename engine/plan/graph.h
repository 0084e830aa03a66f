#pragma once

#include "engine/recipe/check.h"

#include <string>
#include <vector>

namespace stillroom {

struct Edge {
    std::size_t from = 0;  ///< index into Graph::stages
    std::size_t to = 0;
    std::string output;  ///< empty for `after`
    std::string port;
    std::string type;
};

/// The stages in an order in which they can run (of equals the one as written), and what flows
/// between them.
struct Graph {
    std::vector<CheckedStage> stages;
    std::vector<Edge> edges;
    std::map<std::string, Feed> outputs;
};

/// Takes nothing unchecked: references exist and there is no cycle.
STILLROOM_API Graph build_graph(const Checked& checked);

/// How many processes run a stage: its `ranks`, 1 if it says nothing.
STILLROOM_API int ranks_of(const CheckedStage& stage);

enum class GraphFormat { text, dot, mermaid };

/// `states`: a word for each stage, such as "cached", or none at all.
STILLROOM_API std::string draw(const Graph& graph,
                               GraphFormat format,
                               const std::vector<std::string>& states = {});

}  // namespace stillroom
