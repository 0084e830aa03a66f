#pragma once

#include "engine/base/api.h"

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace stillroom::lm {

struct ModelConfig;

/// How the ranks of a stage are wanted to split its work: `parallel` in a recipe.
struct LayoutWish {
    std::int64_t tensor = 1;
    std::int64_t pipeline = 1;
    std::optional<std::int64_t> data = {};  ///< none: what the others leave
    std::optional<std::int64_t> first_layers = {}, last_layers = {};
};

/// Where a rank stands. Neighbours in rank share a layer, then come the copies that share the
/// batch, then the stages of the pipeline.
struct LayoutPlace {
    int tensor = 0, data = 0, pipeline = 0;

    bool operator==(const LayoutPlace&) const = default;
};

/// What cannot work. `key` is the setting's, dotted below `parallel`.
struct LayoutProblem {
    std::string key, message, hint;
};

/// How they do split it.
struct STILLROOM_API Layout {
    int tensor = 1, data = 1, pipeline = 1;
    std::vector<int> stage_layers;  ///< of each stage of the pipeline

    int world() const { return tensor * data * pipeline; }
    LayoutPlace place(int rank) const;
    int rank(const LayoutPlace& place) const;

    /// Layers before those of a stage.
    std::size_t first_layer(int stage) const;

    /// The ranks that differ from this one in one way alone, in order.
    std::vector<int> tensor_ranks(int rank) const;
    std::vector<int> data_ranks(int rank) const;
    std::vector<int> pipeline_ranks(int rank) const;
};

/// Shares the layers out; all that does not divide is told at once, with the nearest values that
/// do. The layout counts only where nothing is told.
STILLROOM_API Layout lay_out(const LayoutWish& wish,
                             std::int64_t world,
                             const ModelConfig& config,
                             std::vector<LayoutProblem>& problems);

/// Whether batches go evenly over the ranks.
STILLROOM_API std::optional<LayoutProblem> uneven_batch(std::int64_t global_batch,
                                                        std::int64_t micro_batch,
                                                        std::int64_t data);

}  // namespace stillroom::lm
