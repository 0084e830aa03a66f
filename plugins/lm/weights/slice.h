#pragma once

#include "plugins/lm/weights/runs.h"
#include "plugins/lm/weights/weight_table.h"

#include <optional>
#include <vector>

namespace stillroom::lm {

// To prune an axis is to index every tensor along it. A cut says which indices of which axis stay;
// from the table follows what is taken of each tensor, as data: lists of runs.

/// Indices that stay, in the order in which they are to stand; nothing: all, as they are.
using Keep = std::optional<std::vector<std::int64_t>>;

/// A layer that stays. Query heads stay in whole groups: as many for each KV head that stays, group
/// after group.
struct LayerCut {
    std::int64_t layer = 0;  ///< its number in the model that is cut
    Keep ffn = {}, heads = {}, kv_heads = {};
    bool attention = true, mlp = true;  ///< false: the block goes, its norms with it
};

struct Cut {
    Keep hidden = {}, vocab = {};
    std::vector<LayerCut> layers;  ///< that stay, in order
};

/// Everything stays: a cut to begin with.
STILLROOM_API Cut whole(const ModelConfig& model);

/// What is taken of one tensor.
struct Slice {
    Weight weight;           ///< as it will be: its name with the new number of the layer
    std::string source;      ///< the tensor that it is taken from
    std::vector<Runs> dims;  ///< of each dimension of it
    bool is_whole = false;   ///< every element, in order: its bytes can be copied
};

/// The model that is left. Throws Error (exit 2) for a cut that does not fit the model: an index
/// out of range or taken twice, layers out of order, groups of unequal size.
STILLROOM_API ModelConfig cut_model(const ModelConfig& model, const Cut& cut);

/// One for each tensor of cut_model's table, in its order. Throws as cut_model does.
STILLROOM_API std::vector<Slice> slices(const ModelConfig& model, const Cut& cut);

}  // namespace stillroom::lm
