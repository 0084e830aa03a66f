#pragma once

#include "engine/base/api.h"
#include "engine/run/board.h"
#include "engine/run/process.h"
#include "engine/run/ranks.h"

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace stillroom {

// Started from outside (torchrun, srun, mpirun) as several ranks, rank 0 of `stillroom run` is the
// engine, and the others are its agents:
//
//     Ranks ranks = read_ranks({}, environment_variables(), false);
//     if (is_agent(ranks))
//         return run_agent(ranks, run_root, times, identity);   // the run's code
//     Agents agents(ranks, run_root, times, identity);          // before anything that takes time
//     ...
//     auto runner = make_runner(launch, ranks, {&agents, stop}); // runners.h: waits for the agents
//     ...
//     agents.end(exit_code, message);                           // last of all, on every way out

/// True for every rank but the first of those that were started from outside.
inline bool is_agent(const Ranks& ranks) {
    return ranks.from_outside() && ranks.rank > 0;
}

/// The folder in which the ranks of one start meet. Throws Error (exit 2) where they share no name.
STILLROOM_API std::filesystem::path meeting_folder(const std::filesystem::path& run_root,
                                                   const Ranks& ranks);

struct AgentTimes {
    double timeout = 600;  ///< seconds that ranks wait for each other
    double beat = 2;       ///< between signs of life; after ten without a change a rank is lost
};

/// A rank is lost after 20 s without a sign, or after `timeout` where that is less.
STILLROOM_API AgentTimes agent_times(double timeout);

/// What an agent does: meets rank 0, starts workers as it is told and ends them with it. Prints
/// nothing but its own failure. Returns what the process ends with: the run's code, 7 where rank 0
/// did not come or is gone.
STILLROOM_API int run_agent(const Ranks& ranks,
                            const std::filesystem::path& run_root,
                            const AgentTimes& times = {},
                            const RankIdentity& identity = {},
                            const std::filesystem::path& program = {});

/// Rank 0's side: shows that it lives, from a thread of its own, and gives orders. For a process
/// that is alone it does nothing.
class STILLROOM_API Agents {
public:
    Agents(const Ranks& ranks,
           const std::filesystem::path& run_root,
           const AgentTimes& times = {},
           const RankIdentity& identity = {});
    Agents(const Agents&) = delete;
    Agents& operator=(const Agents&) = delete;
    ~Agents();  ///< ends with 70 what was not ended

    /// Returns when every rank has come. Throws Error: 7, listing who did not come within the
    /// timeout; 9, where one was started with another recipe or as another program; and what
    /// exit_of_stop says when `stop` gives a signal.
    void meet(const std::function<int()>& stop);

    /// Starts `words`, which begin with a program that the agent replaces by its own, on a rank.
    std::unique_ptr<Process> start(int rank,
                                   const std::vector<std::string>& words,
                                   const std::filesystem::path& output);

    /// Tells the agents what the run ended with, so that they end with the same, and waits until
    /// they have heard it.
    void end(int exit_code, const std::string& message = "");

    /// The agent's host; empty as long as it has not come.
    std::string host(int rank) const;

    struct Board;  // shared with the processes it started

private:
    std::shared_ptr<Board> board_;
    Ranks ranks_;
};

/// What torchrun shows of a rank that failed: writes TORCHELASTIC_ERROR_FILE, where it is asked
/// for.
STILLROOM_API void write_error_file(const Ranks& ranks, const std::string& message) noexcept;

}  // namespace stillroom
