#pragma once

#include "engine/base/json.h"
#include "plugins/prune/search.h"

namespace stillroom::prune {

/// Members of a JSON map: space, fit, refused, choices, smallest.
void write_search(JsonWriter& out, const Found& found);

/// Members of a candidate: num_layers, hidden_size, ..., params, active_params, memory_mib.
void write_candidate(JsonWriter& out, const Candidate& candidate);

/// The space, how many fit, and the table of candidates.
std::string search_text(const Found& found, const std::vector<Candidate>& candidates);

}  // namespace stillroom::prune
