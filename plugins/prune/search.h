#pragma once

#include "plugins/prune/metrics.h"

#include <map>
#include <set>

namespace stillroom::prune {

/// Upper bounds that must all hold.
struct Bounds {
    std::optional<std::int64_t> params, active_params;
    std::optional<double> memory_mib;

    bool hold(const Metrics& metrics) const;
    /// The number that candidates are ranked by: active parameters where they are bounded, else
    /// all, else memory.
    double primary(const Metrics& metrics) const;
    double primary_bound() const;
};

struct SearchOptions {
    Bounds bounds;
    std::set<Hparam> skip;
    double max_width_pruning = 0.4, max_depth_pruning = 0.2;
    std::map<Hparam, std::int64_t> divisors;
    std::int64_t top_k = 10;
    std::optional<double> tolerance;
    bool keep_refused = false;     ///< candidates that the family's own class would refuse
    bool prune_kv_groups = false;  ///< heads go by whole groups, KV heads with them
    Serving serving;
};

struct Candidate {
    Shape shape;
    Metrics metrics;
};

/// What a size may become.
struct Choice {
    Hparam hparam;
    std::vector<std::int64_t> sizes;  ///< ascending, the original last
};

struct Found {
    std::vector<Choice> choices;
    std::int64_t space = 0;         ///< combinations
    std::int64_t fit = 0;           ///< of these, that meet all bounds
    std::int64_t refused = 0;       ///< of these, that the family's class would refuse; dropped
    Metrics smallest;               ///< the least that each number can reach
    std::vector<Candidate> ranked;  ///< those left, the largest first
};

/// The step of a size's choices where nobody names another: in search, or in manual mode.
std::int64_t usual_step(Hparam hparam, const Shape& original, bool search, bool by_groups);

/// Every combination of choices, counted in closed form: milliseconds.
Found search(const lm::ModelConfig& model, const SearchOptions& options);

/// The `count` that get looked at: the first ones; with a tolerance, of those within it the most
/// unlike each other, the largest first.
std::vector<Candidate> chosen(const Found& found, const SearchOptions& options, std::int64_t count);

}  // namespace stillroom::prune
