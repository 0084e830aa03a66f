#pragma once

#include "engine/run/execute.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace stillroom::cli {

/// "3 stages to run, 2 after them, 7 cached": those after them may turn out cached
std::string stages_line(const std::vector<PlannedJob>& jobs,
                        const std::vector<std::set<std::size_t>>& chosen);

/// Where each result of the recipe is, a line each: its outputs, or those of the stages that
/// nothing follows, and what was written outside the store.
std::vector<std::string> result_lines(const std::vector<PlannedJob>& jobs, const Outcome& outcome);

/// Of a sweep a line for each job: its id, how it came out, how much of it was cached, and what it
/// was given.
std::vector<std::string> job_lines(const std::vector<PlannedJob>& jobs, const Outcome& outcome);

/// A line for each stage that failed: its rank and its log.
std::vector<std::string> failure_lines(const Outcome& outcome);

/// "stopped by SIGUSR1 at step 400, checkpoint saved"
std::string stop_line(const Outcome& outcome, std::optional<std::int64_t> step);

/// "3 stages run, 7 cached, 1 failed, 2 skipped in 3 min 20 s"
std::string count_line(const Outcome& outcome, double seconds);

}  // namespace stillroom::cli
