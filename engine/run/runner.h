#pragma once

#include "engine/base/api.h"
#include "engine/run/job.h"
#include "engine/run/record.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace stillroom {

/// How a stage ended: of its ranks the earliest failure decides, never a survivor's.
struct StageEnd {
    int exit_code =
        0;  ///< 0; 1 3 4 6 7 8 70 by kind; 75 stopped with its work saved; 130 stopped without
    int rank = 0;  ///< that decided
    std::string host;
    std::string message;  ///< what and why; its last words where it has none of its own
    std::string key;      ///< setting at fault
    std::string hint;
    std::vector<std::string> notes;
    std::filesystem::path log;  ///< file of the rank that decided
};

/// The ranks of one stage at work.
class STILLROOM_API StageRun {
public:
    virtual ~StageRun();  ///< kills what still runs

    /// What all ranks wrote since the last call; with the rank.
    virtual std::vector<std::pair<int, Record>> records() = 0;

    /// Set once every process has gone and every record has been given out.
    virtual std::optional<StageEnd> ended() = 0;

    virtual void stop() = 0;  ///< asks for a safe point: forwards SIGTERM to every rank
    virtual void kill() = 0;  ///< at once
};

/// What starts stages: the engine's side of processes, launchers and agents.
class STILLROOM_API Runner {
public:
    virtual ~Runner();
    virtual std::unique_ptr<StageRun> start(const Job& job) = 0;

    /// So many stages come soon that share their workers.
    virtual void expect([[maybe_unused]] std::size_t brief) {}

    /// Returns when a process has ended, `also` is readable, a signal came or the time is over.
    virtual void wait(std::chrono::milliseconds most, int also) = 0;
};

}  // namespace stillroom
