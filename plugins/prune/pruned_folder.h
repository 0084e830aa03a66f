#pragma once

#include "engine/plugin/stage.h"
#include "plugins/prune/cut_tensors.h"

#include <functional>

namespace stillroom::prune {

/// What is written of a model: which parts of it, and changed how.
struct Pruned {
    lm::ModelConfig before, after;
    lm::Cut cut;
    Changes changes;
};

/// A model folder: weights, config.json in the spelling of the source, its small files without
/// hooks, index_map.json. Holds no tensor as a whole. Throws Error (exit 2) for a shape that the
/// family's config.json cannot say.
void write_pruned(RunContext& context,
                  const std::filesystem::path& source,
                  const std::filesystem::path& folder,
                  const Pruned& pruned,
                  const std::function<void(std::uint64_t done, std::uint64_t total)>& progress);

/// Opens what was written as any reader would, and compares every tensor with what the cut makes of
/// the source, on so many threads. Throws Error (exit 9) for one that differs.
void check_written(const std::filesystem::path& source,
                   const std::filesystem::path& folder,
                   const Pruned& pruned,
                   int threads);

/// index_map.json: for every axis that was cut the old index of each new one.
std::string index_map_json(const Pruned& pruned);

}  // namespace stillroom::prune
