#pragma once

#include "engine/base/api.h"
#include "engine/plan/graph.h"

#include <cstddef>
#include <string>

namespace stillroom {

/// The stages that one of the graph stands on, in the graph's order, as RunContext::recipe() tells
/// them.
STILLROOM_API std::string upstream_text(const Graph& graph, std::size_t stage);

}  // namespace stillroom
