#pragma once

#include "engine/base/api.h"

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace stillroom {

/// The moment as the scheduler counts it: steady, so that a clock set back harms nothing.
using Moment = std::chrono::steady_clock::time_point;

/// What a task takes while it runs.
struct Needs {
    bool compute = false;      ///< alone on the declared cores, or on its devices
    bool brief = false;        ///< else: over before it is missed
    int devices = 0;           ///< 0: the cores
    int device = -1;           ///< one certain device
    std::uint64_t memory = 0;  ///< bytes, where known
};

struct Capacity {
    int cores = 1;
    int devices = 0;
    std::uint64_t memory = 0;  ///< 0: not counted
};

struct Task {
    std::string name;
    std::vector<std::size_t> before;  ///< tasks that must have ended well
    Needs needs;
    int retries = 0;        ///< tries after a failure
    std::size_t group = 0;  ///< the job of a sweep: a failure ends its own group
};

enum class TaskState { waiting, ready, running, done, failed, skipped };

/// Which task may begin now. Knows no process, no file and no clock: moments are given to it, so a
/// test ticks them by hand. Of tasks that could begin the one that stands first does.
class STILLROOM_API Scheduler {
public:
    /// Without `keep_going` a failure stops what has not begun in its group.
    Scheduler(std::vector<Task> tasks, Capacity capacity, bool keep_going);

    /// A task that may begin; it counts as running, and has what it needs, until it is told
    /// otherwise. Nothing: wait for one to end, or for wake().
    std::optional<std::size_t> next(Moment now);

    /// Its work is over, only its results are still put away: what it took is free for others.
    void rests(std::size_t task);
    void done(std::size_t task);
    void failed(std::size_t task,
                Moment now,
                bool may_retry);  ///< waits before another try: 1 s, 2 s, 4 s ... 60 s
    void postpone(std::size_t task, Moment until);  ///< it cannot begin yet, for another's sake
    void stop();                                    ///< nothing more begins

    std::optional<Moment> wake() const;  ///< when a delayed task could begin
    bool finished() const { return open_ == 0; }
    TaskState state(std::size_t task) const { return entries_[task].state; }
    const Task& task(std::size_t index) const { return tasks_[index]; }
    int tries(std::size_t task) const { return entries_[task].tries; }  ///< begun so far
    const std::string& skipped_because(std::size_t task) const { return entries_[task].reason; }

private:
    struct Progress {
        TaskState state = TaskState::waiting;
        std::size_t missing = 0;  ///< tasks before it that have not ended
        int tries = 0;
        Moment not_before{};
        std::string reason;
        std::vector<int> devices;  ///< taken
        bool took_cores = false;
        bool holds = false;  ///< has what it needs
    };

    /// What tasks take beside memory, one after another by kind.
    enum Kind { compute, beside, brief };
    static constexpr std::size_t kKinds = 3;

    Kind kind_of(std::size_t task) const;
    bool has_place(Kind kind) const;
    std::set<std::size_t>& ready(std::size_t task);
    std::optional<std::size_t> take_first();
    bool take(std::size_t task);
    void give_back(std::size_t task);
    void make_ready(std::size_t task);
    void close(std::size_t task, TaskState state);
    void delay(std::size_t task, Moment until);
    void skip_after(std::size_t task, const std::string& reason);

    std::vector<Task> tasks_;
    std::vector<Progress> entries_;
    std::vector<std::vector<std::size_t>> after_;
    std::array<std::set<std::size_t>, kKinds> ready_;  ///< may begin by their order
    std::set<std::size_t> delayed_;                    ///< ready, but not before a moment
    Capacity capacity_;
    bool keep_going_;
    bool stopped_ = false;
    std::map<std::size_t, std::string>
        failed_groups_;  ///< with the reason; nothing more of them begins
    std::size_t open_;
    bool cores_taken_ = false;
    std::array<int, kKinds> at_work_{};  ///< running tasks
    std::vector<bool> device_taken_;
    std::uint64_t memory_taken_ = 0;
    std::size_t running_ = 0;  ///< that hold something
};

}  // namespace stillroom
