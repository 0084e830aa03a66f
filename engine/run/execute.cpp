#include "engine/run/execute.h"

#include "engine/base/error.h"
#include "engine/run/crew.h"
#include "engine/schema/catalog.h"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <future>
#include <map>
#include <memory>
#include <new>

namespace stillroom {
namespace {

constexpr auto kTick = std::chrono::milliseconds(100);
constexpr std::size_t kMostFinishing = 8;  ///< each a thread that mostly waits for the disk
constexpr auto kLeaseTick = std::chrono::milliseconds(200);
constexpr std::size_t kMostText = std::size_t{1} << 20;  ///< more is not kept with the result

/// A refusal is the same next time.
bool worth_another_try(int exit_code) {
    return exit_code != kExitUsage && exit_code != kExitPolicy && exit_code != kExitIntegrity &&
           exit_code != kExitGate;
}

StageEnd end_of(const Error& error) {
    StageEnd end;
    end.exit_code = error.exit_code();
    end.message = error.what();
    end.key = error.setting();
    end.hint = error.hint_text();
    for (const Error::Note& note : error.notes())
        end.notes.push_back(note.text);
    return end;
}

/// What another thread threw, as the end of its stage.
StageEnd end_of(const std::exception_ptr& failure) {
    StageEnd end;
    try {
        std::rethrow_exception(failure);
    } catch (const Error& error) {
        return end_of(error);
    } catch (const std::bad_alloc&) {
        end.exit_code = kExitResource;
        end.message = "out of memory";
    } catch (const std::filesystem::filesystem_error& error) {
        end.exit_code = kExitResource;
        end.message =
            fmt::format("cannot use {}: {}", error.path1().string(), error.code().message());
    } catch (const std::exception& error) {
        end.exit_code = kExitInternal;
        end.message = error.what();
    }
    return end;
}

Needs needs_of(const CheckedStage& stage, const PlannedStage& planned, const Capacity& capacity) {
    Needs needs;
    if (planned.description)
        if (auto memory = planned.description->cost.find("memory_bytes");
            memory != planned.description->cost.end() && memory->second > 0)
            needs.memory = static_cast<std::uint64_t>(memory->second);
    needs.compute = stage.type && stage.type->resources == "compute";
    needs.brief = stage.type && stage.type->shares_process;
    NodePtr device = stage.engine ? stage.engine->get("device") : nullptr;
    std::string name = device ? device->text : "auto";
    if (!needs.compute || name == "cpu" || capacity.devices == 0)
        return needs;
    if (name.starts_with("cuda:"))
        needs.device = std::atoi(name.c_str() + 5);
    needs.devices = ranks_of(stage);
    return needs;
}

/// Heard by the loop when another thread has finished.
class Bell {
public:
    Bell() : descriptor_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
        if (descriptor_ < 0)
            throw Error({},
                        fmt::format("no descriptor for a stage's end: {}", std::strerror(errno)))
                .exit_code(kExitResource);
    }
    Bell(const Bell&) = delete;
    Bell& operator=(const Bell&) = delete;
    ~Bell() { ::close(descriptor_); }

    int descriptor() const { return descriptor_; }
    void ring() const {
        std::uint64_t one = 1;
        [[maybe_unused]] ssize_t count = ::write(descriptor_, &one, sizeof one);
    }
    void hush() const {
        std::uint64_t rung = 0;
        [[maybe_unused]] ssize_t count = ::read(descriptor_, &rung, sizeof rung);
    }

private:
    int descriptor_;
};

/// Rings when the thread that holds it is through, one way or another.
struct Ringing {
    const Bell& bell;
    ~Ringing() { bell.ring(); }
};

class Execution {
public:
    Execution(std::vector<PlannedJob>& jobs,
              const std::vector<std::set<std::size_t>>& chosen,
              Desk& desk,
              Runner& runner,
              Observer& observer,
              const ExecuteOptions& options)
        : jobs_(jobs),
          desk_(desk),
          runner_(runner),
          observer_(observer),
          options_(options),
          scheduler_(make_tasks(chosen), options.capacity, options.keep_going) {}

    Outcome run();

private:
    /// A stage between its beginning and its end.
    struct Active {
        std::unique_ptr<StageRun> ranks;
        std::optional<StageEnd> end;
        std::future<Made> finishing;
        std::future<void> reading;
        Heard heard;
        Moment began{};
        bool killed = false;
    };

    std::vector<Task> make_tasks(const std::vector<std::set<std::size_t>>& chosen);
    PlannedJob& job(std::size_t task) { return jobs_[refs_[task].job]; }
    PlannedStage& planned(std::size_t task) { return job(task).plan.stages[refs_[task].stage]; }
    double since(Moment moment) const {
        return std::chrono::duration<double>(options_.now() - moment).count();
    }

    void begin(std::size_t task);
    void start(std::size_t task);
    bool advance(std::size_t task, Active& active);
    void listen(std::size_t task, Active& active);
    void use_cached(std::size_t task);
    void finished(std::size_t task, const Made& made);
    void gave_up(std::size_t task, const StageEnd& end, bool keep_work);
    void heed_signals();
    void report_skipped();
    Outcome outcome();
    std::size_t finishing() const;

    Bell bell_;  // outlives the threads that ring it
    std::vector<PlannedJob>& jobs_;
    Desk& desk_;
    Runner& runner_;
    Observer& observer_;
    const ExecuteOptions& options_;
    std::vector<StageRef> refs_;
    std::vector<StageOutcome> outcomes_;
    Scheduler scheduler_;
    std::map<std::size_t, Active> active_;
    int stops_seen_ = 0;
    int aborts_seen_ = 0;
    bool stopping_ = false;
    bool killed_ = false;
    bool saved_ = false;
    int signal_ = 0;
    int exit_code_ = 0;
    Moment stopped_at_{};
    std::set<std::size_t> told_waiting_;
    Crew crew_{kMostFinishing, [this] { bell_.ring(); }};  // ends first: it uses the others
};

std::vector<Task> Execution::make_tasks(const std::vector<std::set<std::size_t>>& chosen) {
    std::vector<Task> tasks;
    for (std::size_t job_index = 0; job_index < jobs_.size(); ++job_index) {
        const PlannedJob& job = jobs_[job_index];
        const Graph& graph = job.plan.graph;
        std::map<std::size_t, std::size_t> task_of;
        for (std::size_t stage = 0; stage < graph.stages.size(); ++stage) {
            if (!chosen[job_index].contains(stage))
                continue;
            task_of[stage] = tasks.size();
            const CheckedStage& checked = graph.stages[stage];
            std::string name = job.id.empty() ? checked.name : job.id + "/" + checked.name;
            Task task;
            task.name = name;
            task.needs = needs_of(checked, job.plan.stages[stage], options_.capacity);
            if (NodePtr retry = checked.engine ? checked.engine->get("retry") : nullptr)
                task.retries = std::atoi(retry->text.c_str());
            tasks.push_back(std::move(task));
            refs_.push_back({job_index, stage, name});
            outcomes_.push_back({refs_.back(), "skipped", "", 0, {}, {}, "", {}});
        }
        std::set<std::pair<std::size_t, std::size_t>> seen;
        for (const Edge& edge : graph.edges) {
            auto from = task_of.find(edge.from);
            auto to = task_of.find(edge.to);
            if (from == task_of.end() || to == task_of.end() ||
                !seen.emplace(from->second, to->second).second)
                continue;
            tasks[to->second].before.push_back(from->second);
        }
    }
    return tasks;
}

void Execution::use_cached(std::size_t task) {
    const PlannedStage& stage = planned(task);
    StageOutcome& outcome = outcomes_[task];
    outcome.state = "cached";
    outcome.reason = stage.reason;
    outcome.outputs = stage.outputs;
    outcome.paths = stage.paths;
    outcome.key = stage.key;
    observer_.cached(refs_[task], stage);
    if (!stage.failed.empty()) {
        StageEnd end;
        end.exit_code = kExitGate;
        end.message = stage.failed;
        end.hint = "it was made before, and is kept; --force runs it again";
        gave_up(task, end, true);
        return;
    }
    scheduler_.done(task);
}

void Execution::begin(std::size_t task) {
    try {
        PlannedStage now = desk_.look(job(task), refs_[task]);
        now.description = std::move(planned(task).description);
        planned(task) = std::move(now);
    } catch (const Error& error) {
        gave_up(task, end_of(error), true);
        return;
    }
    PlannedStage& stage = planned(task);
    if (stage.state == StageState::cached) {
        use_cached(task);
        return;
    }
    if (!stage.unread.empty()) {
        observer_.reads(refs_[task], stage.unread);
        Active& active = active_[task];
        active.reading = std::async(std::launch::async, [this, paths = stage.unread] {
            Ringing ringing{bell_};
            desk_.read_sources(paths);
        });
        return;
    }
    start(task);
}

void Execution::start(std::size_t task) {
    std::string holder;
    try {
        std::optional<Job> work =
            desk_.begin(job(task), refs_[task], planned(task), scheduler_.tries(task), holder);
        if (!work) {
            if (!holder.empty() && told_waiting_.insert(task).second)
                observer_.waits(refs_[task], holder);
            scheduler_.postpone(task, options_.now() + kLeaseTick);
            return;
        }
        Active active;
        active.began = options_.now();
        observer_.begins(refs_[task], planned(task), *work);
        active.ranks = runner_.start(*work);
        active_[task] = std::move(active);
    } catch (const Error& error) {
        gave_up(task, end_of(error), true);
    }
}

void Execution::listen(std::size_t task, Active& active) {
    for (auto& [rank, record] : active.ranks->records()) {
        Heard& heard = active.heard;
        if (rank == 0) {
            if (record.event == "bind")
                heard.bound[record.name] = {record.text, record.list};
            else if (record.event == "decided")
                heard.decided[record.name] = record.text;
            else if (record.event == "plugin") {
                heard.plugin = record.name + " " + record.text;
                heard.build = record.file.digest;
            } else if (record.event == "gate")
                heard.gate = record.text;
            else if (record.event == "text" && heard.text.size() <= kMostText)
                heard.text += record.text;
        }
        if (record.event == "reads")
            heard.reads.push_back(record.text);
        else if (record.event == "hashed")
            heard.hashed.push_back(record.file);
        else if (record.event == "saved")
            heard.saved = true;
        observer_.heard(refs_[task], rank, record);
    }
}

template <class T>
bool is_ready(std::future<T>& future) {
    return future.wait_for(std::chrono::seconds(0)) == std::future_status::ready;
}

/// True once the stage is over, one way or another.
bool Execution::advance(std::size_t task, Active& active) {
    if (active.reading.valid()) {
        if (!is_ready(active.reading))
            return false;
        try {
            active.reading.get();
        } catch (...) {
            gave_up(task, end_of(std::current_exception()), true);
            return true;
        }
        // Looked at again from the start, now that the digests are known.
        scheduler_.postpone(task, options_.now());
        return true;
    }
    if (active.finishing.valid()) {
        if (!is_ready(active.finishing))
            return false;
        try {
            finished(task, active.finishing.get());
        } catch (...) {
            // What is saved goes only where it was made from something else than is there now; not
            // for a full disk.
            StageEnd failure = end_of(std::current_exception());
            gave_up(task, failure, failure.exit_code != kExitIntegrity);
        }
        return true;
    }
    listen(task, active);
    std::optional<StageEnd> end = active.ranks->ended();
    if (!end)
        return false;
    listen(task, active);
    active.heard.seconds = since(active.began);
    if (end->exit_code == 0) {
        active.ranks.reset();
        scheduler_.rests(task);
        active.finishing = crew_.run([this, task, heard = std::move(active.heard)] {
            return desk_.finish(job(task), refs_[task], planned(task), heard);
        });
        return false;
    }
    active.ranks.reset();
    if (stopping_) {
        saved_ = saved_ || active.heard.saved;
        outcomes_[task].state = "stopped";
        outcomes_[task].end = *end;
        outcomes_[task].seconds = active.heard.seconds;
        desk_.leave(refs_[task], true);
        observer_.failed(refs_[task], *end, false);
        scheduler_.failed(task, options_.now(), false);
        return true;
    }
    outcomes_[task].seconds = active.heard.seconds;
    gave_up(task, *end, true);
    return true;
}

void Execution::finished(std::size_t task, const Made& made) {
    PlannedStage& stage = planned(task);
    stage.outputs = made.outputs;
    stage.paths = made.paths;
    stage.linked = made.linked;
    stage.key = made.key;
    StageOutcome& outcome = outcomes_[task];
    outcome.outputs = made.outputs;
    outcome.paths = made.paths;
    outcome.key = made.key;
    outcome.seconds = made.seconds;
    if (!made.gate.empty()) {
        StageEnd end;
        end.exit_code = kExitGate;
        end.message = made.gate;
        if (!made.paths.empty())
            end.hint =
                fmt::format("what it made is kept in {}", made.paths.begin()->second.string());
        observer_.ended(refs_[task], stage, made);
        gave_up(task, end, true);
        return;
    }
    stage.state = StageState::cached;
    outcome.state = "run";
    outcome.reason = stage.reason;
    observer_.ended(refs_[task], stage, made);
    scheduler_.done(task);
}

void Execution::gave_up(std::size_t task, const StageEnd& end, bool keep_work) {
    desk_.leave(refs_[task], keep_work);
    bool may_retry = worth_another_try(end.exit_code) && !stopping_;
    scheduler_.failed(task, options_.now(), may_retry);
    bool another_try = scheduler_.state(task) == TaskState::ready;
    observer_.failed(refs_[task], end, another_try);
    if (another_try)
        return;
    if (exit_code_ == 0)
        exit_code_ = end.exit_code;
    StageOutcome& outcome = outcomes_[task];
    outcome.state = "failed";
    outcome.reason = end.message;
    outcome.end = end;
}

/// The first signal asks for a safe point, a second SIGINT or SIGTERM or the end of the grace ends
/// everything at once.
void Execution::heed_signals() {
    Asked asked = options_.asked();
    if (asked.stops > stops_seen_ && !stopping_) {
        stopping_ = true;
        signal_ = asked.last;
        stopped_at_ = options_.now();
        aborts_seen_ = asked.aborts - (asked.aborts > 0 ? 1 : 0);
        observer_.stopping(signal_, false);
        scheduler_.stop();
        for (auto& [task, active] : active_)
            if (active.ranks)
                active.ranks->stop();
        // What came together with the first one counts as one.
        aborts_seen_ = asked.aborts;
    } else if (stopping_ && !killed_ &&
               (asked.aborts > aborts_seen_ || options_.now() - stopped_at_ > options_.grace)) {
        killed_ = true;
        signal_ = asked.aborts > aborts_seen_ ? asked.last : signal_;
        observer_.stopping(signal_, true);
        for (auto& [task, active] : active_)
            if (active.ranks)
                active.ranks->kill();
    }
    stops_seen_ = asked.stops;
}

void Execution::report_skipped() {
    for (std::size_t task = 0; task < refs_.size(); ++task) {
        if (scheduler_.state(task) != TaskState::skipped)
            continue;
        outcomes_[task].reason = scheduler_.skipped_because(task);
        observer_.skipped(refs_[task], outcomes_[task].reason);
    }
}

Outcome Execution::outcome() {
    Outcome outcome;
    outcome.stages = std::move(outcomes_);
    outcome.signal = signal_;
    outcome.saved = saved_;
    bool all_done =
        std::all_of(outcome.stages.begin(), outcome.stages.end(), [](const auto& stage) {
            return stage.state == "run" || stage.state == "cached";
        });
    if (stopping_ && !all_done && exit_code_ == 0)
        outcome.exit_code = !killed_            ? kExitStopped
                            : signal_ == SIGINT ? kExitInterrupted
                                                : kExitTerminated;
    else
        outcome.exit_code = exit_code_;
    return outcome;
}

/// Stages whose work is over, while their results are put away.
std::size_t Execution::finishing() const {
    return static_cast<std::size_t>(
        std::count_if(active_.begin(), active_.end(), [](const auto& each) {
            return each.second.finishing.valid();
        }));
}

Outcome Execution::run() {
    while (!scheduler_.finished()) {
        heed_signals();
        while (finishing() < kMostFinishing) {
            std::optional<std::size_t> task = scheduler_.next(options_.now());
            if (!task)
                break;
            begin(*task);
        }
        bell_.hush();
        bool moved = false;
        for (auto it = active_.begin(); it != active_.end();) {
            if (advance(it->first, it->second)) {
                it = active_.erase(it);
                moved = true;
            } else {
                ++it;
            }
        }
        observer_.tick();
        if (moved || scheduler_.finished())
            continue;
        auto most = std::chrono::duration_cast<std::chrono::milliseconds>(kTick);
        if (std::optional<Moment> wake = scheduler_.wake()) {
            auto until =
                std::chrono::duration_cast<std::chrono::milliseconds>(*wake - options_.now());
            most = std::clamp(until, std::chrono::milliseconds(1), most);
        }
        runner_.wait(most, bell_.descriptor());
    }
    report_skipped();
    return outcome();
}

}  // namespace

Outcome execute(std::vector<PlannedJob>& jobs,
                const std::vector<std::set<std::size_t>>& chosen,
                Desk& desk,
                Runner& runner,
                Observer& observer,
                const ExecuteOptions& options) {
    return Execution(jobs, chosen, desk, runner, observer, options).run();
}

}  // namespace stillroom
