#pragma once

#include "engine/base/api.h"
#include "engine/run/job.h"
#include "engine/run/process.h"

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace stillroom {

// A stage that takes no time is over long before its process has begun. So where its schema says
// `x-process: shared`, the worker that did one stage of a plugin does the next. Each stage has its
// job, its records and what it prints to itself as ever, and the worker goes at once, to be
// replaced by a new one, after any error, after a signal, and where the stage left anything behind
// that can be seen: a thread, a child, an open file, another working folder, much memory.

/// The engine's side. Use it on one thread that lives as long as the process.
class STILLROOM_API SharedWorkers {
public:
    explicit SharedWorkers(std::filesystem::path program);
    SharedWorkers(const SharedWorkers&) = delete;
    SharedWorkers& operator=(const SharedWorkers&) = delete;
    ~SharedWorkers();

    /// Whether the job may be done by such a worker.
    static bool take(const Job& job);

    /// Starts so many workers that nobody has a job for yet: by then they have linked their
    /// libraries. Throws Error (exit 4).
    void expect(std::size_t count);

    /// The one rank of this job, for as long as it takes; a worker that is free, or a new one.
    /// `text` is the job's, what it prints is appended to `output`. Throws Error (exit 4).
    std::unique_ptr<Process> start(const Job& job,
                                   const std::string& text,
                                   const std::filesystem::path& output);

private:
    class Worker;
    class Turn;

    std::unique_ptr<Worker> free_worker(const std::string& kind);

    std::filesystem::path program_;
    std::shared_ptr<std::vector<std::unique_ptr<Worker>>> free_;
};

/// The flag after `worker` that makes it one of them.
inline constexpr std::string_view kSharedFlag = "--shared";

/// The worker's side, on the socket that is its stdin.
class Turns {
public:
    Turns();

    /// The next job, with everything that is printed from now on going where it belongs; nothing
    /// once the engine wants no more, or a signal came.
    std::optional<std::string> next();

    /// Whether the process is as it was before the first turn, as far as can be seen.
    bool left_nothing() const;

    void done() const;  ///< tells the engine, which may give the next job now

private:
    int socket_;
    long files_ = 0;  ///< that were open before the first turn
    std::string folder_;
};

}  // namespace stillroom
