#pragma once

#include "engine/cli/checked_jobs.h"
#include "engine/cli/command.h"

#include <string>

namespace stillroom::cli {

/// Plans checked jobs against the store, asks their stages what the work would be, and leaves the
/// plan to be printed: `plan`, and `run --dry-run`. Writes nothing but what --out names, and
/// digests that the store remembers.
void show_plan(Command& command, const std::string& file, const CheckedJobs& jobs);

}  // namespace stillroom::cli
