#pragma once

#include "plugins/prune/judged.h"
#include "plugins/prune/pruned_folder.h"

#include <optional>

namespace stillroom::prune {

/// Logits of the written folder beside those of the candidate in memory, on the same rows.
struct LogitsCheck {
    std::int64_t positions = 0, same_best = 0;
    double max = 0, cosine = 1;
    double largest = 0;  ///< logit, of the candidate
};

/// Everything that a run decided, and by what.
struct PruneFacts {
    const MinitronSettings* settings = nullptr;
    const Scores* scores = nullptr;
    Pruned pruned;
    Metrics before, after;
    std::string source_fingerprint;

    std::optional<Found> found;  ///< of a search
    std::vector<WeightedTask> tasks;
    std::vector<Judged> judged;
    std::size_t chosen = 0;
    std::int64_t heldout_rows = 0;

    std::optional<LogitsCheck> check;
    std::string no_check;  ///< why logits were not compared
};

std::string report_json(const PruneFacts& facts);
std::string report_text(const PruneFacts& facts);

/// stillroom_prune.json, which travels with the model: source, mode, targets, candidates, layers.
std::string provenance_json(const PruneFacts& facts);

/// The candidates with their scores, as a table: also what a running search shows.
std::string candidates_text(const std::vector<Judged>& judged,
                            const std::vector<WeightedTask>& tasks,
                            std::optional<std::size_t> chosen);

}  // namespace stillroom::prune
