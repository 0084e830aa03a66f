#pragma once

#include "engine/cli/command.h"
#include "engine/recipe/check.h"
#include "engine/recipe/jobs.h"
#include "engine/schema/catalog.h"

#include <optional>
#include <string>
#include <vector>

namespace stillroom::cli {

/// A recipe with one combination of values, or the only one.
struct CheckedJob {
    std::string id;                      ///< empty unless it is one of a sweep
    std::vector<std::string> overrides;  ///< what it has beside the common ones
    Recipe recipe;
    Checked checked;
    bool ok = false;
};

struct CheckedJobs {
    std::vector<CheckedJob> jobs;
    bool swept = false;  ///< by `-m` or by the recipe's own `sweep`
};

/// The recipe that `word` names with the overrides that begin at `first_override`, composed and
/// checked without sweeps. Nothing, with mistakes in the command's diagnostics, where it cannot be
/// gone on with.
std::optional<CheckedJob> checked_recipe(Command& command,
                                         const Catalog& catalog,
                                         const Word& word,
                                         std::size_t first_override);

/// Composes and checks every job before any of them could run. Mistakes are in the command's
/// diagnostics, what is wrong with several jobs once. Empty where there is nothing to go on with.
CheckedJobs checked_jobs(Command& command,
                         const Catalog& catalog,
                         const Request& request,
                         bool multirun);

}  // namespace stillroom::cli
