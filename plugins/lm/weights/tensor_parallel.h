#pragma once

#include "plugins/lm/weights/runs.h"
#include "plugins/lm/weights/weight_table.h"

#include <vector>

namespace stillroom::lm {

/// Numbers of tensor-parallel ranks over which the model splits evenly: they divide heads, widths
/// and vocabulary of all layers, and divide the KV heads or are a multiple of them.
STILLROOM_API std::vector<std::int64_t> tp_sizes(const ModelConfig& model);

/// What `rank` of `ranks` holds of a weight along its tp_dim (of a weight without one all of the
/// first dimension). KV heads repeat where there are more ranks than heads. Throws Error (exit 2)
/// where it does not divide.
STILLROOM_API Runs tp_part(const Weight& weight, std::int64_t ranks, std::int64_t rank);

}  // namespace stillroom::lm
