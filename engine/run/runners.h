#pragma once

#include "engine/base/api.h"
#include "engine/run/agents.h"
#include "engine/run/launch.h"
#include "engine/run/runner.h"

#include <filesystem>
#include <functional>
#include <memory>

namespace stillroom {

struct RunnerOptions {
    Agents* agents = nullptr;       ///< of an engine that was started from outside
    std::function<int()> stop;      ///< asked while the agents are awaited: a signal, or 0
    std::filesystem::path program;  ///< the stillroom whose workers are started; empty: this one
};

/// What starts the stages of a run: this host by itself (`local`), a launcher for each stage of
/// several ranks (`slurm`, `mpi`), or the agents of a start from outside. A stage of one rank is
/// always started here. Throws Error: 2 if the launcher is not there, 7 if agents do not come.
STILLROOM_API std::unique_ptr<Runner> make_runner(const Launch& launch,
                                                  const Ranks& ranks,
                                                  const RunnerOptions& options = {});

/// The ranks that a stage may have at most. Throws Error (exit 2) naming the stage and what was
/// started; to be asked before anything runs.
STILLROOM_API void check_ranks(const Launch& launch,
                               const Ranks& ranks,
                               const std::string& stage,
                               int wanted);

}  // namespace stillroom
