#pragma once

#include "plugins/lm/data/rows.h"
#include "plugins/lm/modules/batch.h"
#include "plugins/prune/machine.h"
#include "plugins/prune/scores.h"

#include <functional>
#include <set>

namespace stillroom::prune {

/// Rows [first, first + count) of a dataset, one behind another.
lm::Batch batch_of_rows(const lm::Rows& rows, std::int64_t first, std::int64_t count);

struct PassOptions {
    std::set<Hparam> hooks;
    std::int64_t rows = 0;   ///< the first so many
    std::int64_t batch = 1;  ///< rows of a forward pass; changes no score
    /// Each layer is taken in once for as many rows as there is room for, and given back: for
    /// models that do not fit.
    bool stream = false;
    std::int64_t streamed_rows = 0;  ///< whose activations are held at once
    /// Told how many rows are done, as often by each rank; may throw.
    std::function<void(std::int64_t done)> progress;
};

/// What the rows show of the model's parts: layers alone, no head. Data ranks share the rows,
/// others the model; each returns the sum of all.
RawScores measure(const std::filesystem::path& folder,
                  const lm::Rows& rows,
                  const PassOptions& options,
                  const Machine& machine);

/// How many calls of `progress` a rank may come before another: the first of a pipeline is that far
/// ahead of the last.
std::size_t calls_ahead(const PassOptions& options, const lm::Layout& layout);

/// What a part's weights take when they are computed with, beyond the mapped files.
std::uint64_t bytes_to_load(const std::filesystem::path& folder,
                            const lm::ModelPart& part,
                            at::ScalarType type);

}  // namespace stillroom::prune
