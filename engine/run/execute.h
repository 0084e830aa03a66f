#pragma once

#include "engine/base/api.h"
#include "engine/run/desk.h"
#include "engine/run/observer.h"
#include "engine/run/runner.h"
#include "engine/run/scheduler.h"
#include "engine/run/signals.h"

#include <functional>
#include <set>
#include <string>
#include <vector>

namespace stillroom {

struct ExecuteOptions {
    Capacity capacity;
    bool keep_going = false;
    std::chrono::seconds grace{25};  ///< from the first signal until what still runs is killed
    std::function<Moment()> now = [] { return std::chrono::steady_clock::now(); };
    std::function<Asked()> asked = [] { return Asked{}; };
};

/// How a stage of the run came out.
struct StageOutcome {
    StageRef stage;
    std::string state;  ///< "run", "cached", "failed", "skipped", "stopped"
    std::string reason;
    double seconds = 0;
    std::map<std::string, std::string> outputs;
    std::map<std::string, std::filesystem::path> paths;
    std::string key;
    StageEnd end;  ///< of a failed one
};

struct Outcome {
    int exit_code = 0;  ///< the earliest failure's; 75, 130 or 143 after a signal
    int signal = 0;
    bool saved = false;  ///< stopped, and a stage's unfinished work was kept
    std::vector<StageOutcome> stages;
};

/// Runs the chosen stages of every job: what is ready, in parallel within the capacity, in the
/// order of the graph. The only step that takes time and can be resumed. The plans are brought up
/// to date while it goes on.
STILLROOM_API Outcome execute(std::vector<PlannedJob>& jobs,
                              const std::vector<std::set<std::size_t>>& chosen,
                              Desk& desk,
                              Runner& runner,
                              Observer& observer,
                              const ExecuteOptions& options);

}  // namespace stillroom
