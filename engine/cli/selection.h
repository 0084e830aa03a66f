#pragma once

#include "engine/cli/checked_jobs.h"
#include "engine/cli/command.h"
#include "engine/plan/plan.h"

#include <optional>
#include <set>
#include <string>
#include <vector>

namespace stillroom::cli {

/// What --only, --from and --force name: stages, or sub-recipes for all of their stages.
struct Selection {
    std::vector<std::string> only, from, force;
};

Selection selection_of(const Command& command);

/// The graph of each job, cut down to what is chosen and what decides it. A name that no job has is
/// a mistake, and then there is none.
std::vector<Part> select_stages(Command& command,
                                const CheckedJobs& jobs,
                                const Selection& selection);

/// The mistake of naming a stage that is none of `names`, at the option that names it.
void refuse_stage(Command& command, const std::set<std::string>& names, const std::string& name);

/// The names that --force stands for in a graph.
std::set<std::string> forced_stages(const Graph& graph, const Selection& selection);

/// What --from leaves out must be in the store; a mistake where it is not.
bool check_left_out(Command& command, const Plan& plan, const std::set<std::size_t>& chosen);

}  // namespace stillroom::cli
