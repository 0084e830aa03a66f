#include "engine/run/worker.h"

#include "engine/base/error.h"
#include "engine/base/host.h"
#include "engine/base/json.h"
#include "engine/plugin/loader.h"
#include "engine/run/describe_worker.h"
#include "engine/run/failure.h"
#include "engine/run/fork_server.h"
#include "engine/run/lifeline.h"
#include "engine/run/ranks.h"
#include "engine/run/run_context.h"
#include "engine/run/shared_workers.h"

#include <fmt/format.h>
#include <unistd.h>

#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>

namespace stillroom {
namespace {

/// Ends at once: destructors of a plugin's static objects have nothing more to say, and those of
/// large libraries take long or crash.
[[noreturn]] void leave(int status) {
    std::fflush(nullptr);
    ::_exit(status);
}

struct WorkerFlags {
    std::string job, describe;
    bool shared = false;
    RankFlags rank;
    long parent = 0;
};

WorkerFlags read_flags(const std::vector<std::string>& words) {
    WorkerFlags flags;
    std::string parent;
    auto optional_text = [](std::optional<std::string>& out) -> std::string& {
        return out.emplace();
    };
    for (std::size_t i = 0; i < words.size(); ++i) {
        const std::string& word = words[i];
        if (word == kSharedFlag) {
            flags.shared = true;
            continue;
        }
        std::string* value = word == "--job"          ? &flags.job
                             : word == "--describe"   ? &flags.describe
                             : word == "--parent"     ? &parent
                             : word == "--rank"       ? &optional_text(flags.rank.rank)
                             : word == "--world"      ? &optional_text(flags.rank.world)
                             : word == "--local-rank" ? &optional_text(flags.rank.local_rank)
                             : word == "--store"      ? &optional_text(flags.rank.store)
                                                      : nullptr;
        if (!value || i + 1 == words.size())
            throw Error({}, fmt::format("a worker cannot take '{}'", word)).exit_code(kExitUsage);
        *value = words[++i];
    }
    auto [end, error] = std::from_chars(parent.data(), parent.data() + parent.size(), flags.parent);
    if (!parent.empty() && (error != std::errc() || end != parent.data() + parent.size()))
        throw Error({}, fmt::format("'{}' is no process", parent)).exit_code(kExitUsage);
    if (!flags.job.empty() + !flags.describe.empty() + flags.shared != 1)
        throw Error({}, "a worker needs --job FILE")
            .hint("the engine starts workers; `stillroom run RECIPE` is for people")
            .exit_code(kExitUsage);
    return flags;
}

/// Before any other thread and before any library of the plugin reads them.
void set_environment(const Job& job) {
    for (const auto& [name, value] : job.environment) {
        if (name.starts_with("LD_"))
            throw Error({}, fmt::format("a stage may not set {}, which loads code", name))
                .key("env")
                .exit_code(kExitPolicy);
        ::setenv(name.c_str(), value.c_str(), 1);
    }
    // One count of threads, whatever anybody says: it decides the last digits of sums.
    std::string threads = std::to_string(job.threads);
    for (const char* name : {"OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"})
        ::setenv(name, threads.c_str(), 1);
    // Threads that wait for each other give their core back soon: on a machine with other work they
    // would burn most of it.
    ::setenv("GOMP_SPINCOUNT", "1000", 0);
}

void check_world(const Ranks& ranks, const Job& job) {
    if (ranks.world != job.ranks)
        throw Error({},
                    fmt::format("the stage wants {} ranks, but {} were started ({})",
                                job.ranks,
                                ranks.world,
                                ranks.launcher))
            .exit_code(kExitRanks);
}

/// One rank at work, from its first record to its last.
class Worker {
public:
    Worker(const Job& job, const Ranks& ranks, Plugins& plugins)
        : job_(job),
          ranks_(ranks),
          plugins_(plugins),
          records_(job.records / record_file(ranks.rank)) {}

    /// Returns where the stage did what it should; else ends the process.
    void work();

    /// Says why this rank failed. Throws nothing.
    void report(const std::exception_ptr& failure) noexcept;
    [[noreturn]] void engine_lost() noexcept;

private:
    void say_start();
    void run_stage(Faults& faults);
    void finish(const Record& result) noexcept;

    const Job& job_;
    const Ranks& ranks_;
    Plugins& plugins_;
    RecordWriter records_;
    bool cancelled_ = false;
};

/// For the handler of std::terminate, which is given nothing.
Worker* at_work = nullptr;

/// An exception that left a thread of the stage, or a noexcept function.
[[noreturn]] void on_terminate() {
    std::exception_ptr failure = std::current_exception();
    if (failure && at_work)
        at_work->report(failure);
    try {
        if (failure)
            std::rethrow_exception(failure);
    } catch (const std::bad_alloc&) {
        ::_exit(kStatusNoRecords);  // with its result or, for want of memory, without
    } catch (...) {
    }
    std::abort();
}

void Worker::say_start() {
    Record start;
    start.event = "start";
    start.pid = ::getpid();
    start.host = host_name();
    start.rank = ranks_.rank;
    start.world = ranks_.world;
    start.name = ranks_.launcher;
    records_.write(start);
    if (ranks_.world == 1)
        return;
    Record log;
    log.event = "log";
    log.name = "info";
    log.text = ranks_line(ranks_);
    records_.write(log);
}

void Worker::run_stage(Faults& faults) {
    Decisions decisions(job_.work, ranks_.rank, job_.threads, job_.timeout);
    Rank rank{.rank = ranks_.rank,
              .world = ranks_.world,
              .local = ranks_.local,
              .store = ranks_.store,
              .timeout = job_.timeout};
    WorkerContext context(job_, std::move(rank), records_, decisions, faults);
    if (std::string difference = decisions.compare(machine_class()); !difference.empty())
        context.log(LogLevel::warning, difference);
    const Plugin& plugin = plugins_.of_stage(job_.use);
    Record opened;
    opened.event = "plugin";
    opened.name = plugin.name();
    opened.text = plugin.version();
    opened.file.path = plugin.file().native();
    opened.file.digest = plugin.build();
    records_.write(opened);
    JsonWriter settings;
    write_json(settings, *job_.settings);
    std::unique_ptr<Stage> stage = plugin.make_stage(job_.use, settings.text());
    try {
        faults.step();
        stage->run(context);
    } catch (const Error& error) {
        cancelled_ = context.was_cancelled();
        if (error.exit_code() != kExitStopped || !context.has_saved())
            throw;
        cancelled_ = true;  // by what its own settings say, at a safe point
        return;
    } catch (...) {
        cancelled_ = context.was_cancelled();
        throw;
    }
    cancelled_ = context.was_cancelled();
}

void Worker::report(const std::exception_ptr& failure) noexcept {
    try {
        Record result = failed_result(failure);
        result.cancelled = cancelled_;
        records_.write(result);
    } catch (const std::exception& error) {
        fmt::print(stderr, "error: {}\n", error.what());
    } catch (...) {
        std::fputs("error: the result could not be written\n", stderr);
    }
}

void Worker::engine_lost() noexcept {
    report(
        std::make_exception_ptr(Error({},
                                      fmt::format("the engine is gone: {} did not change for {} s",
                                                  job_.alive.string(),
                                                  job_.beat * Pulse::kBeatsToLive))
                                    .exit_code(kExitRanks)));
    std::fflush(nullptr);
    end_process_group();
    ::_exit(kExitRanks);
}

void Worker::finish(const Record& result) noexcept {
    try {
        records_.write(result);
    } catch (const std::exception& error) {
        fmt::print(stderr, "error: {}\n", error.what());
        leave(kStatusNoRecords);
    }
    if (!result.ok)
        leave(result.exit_code);
    at_work = nullptr;
}

void Worker::work() {
    Record result;
    result.event = "result";
    std::optional<Pulse> pulse;
    try {
        say_start();
        pulse.emplace(records_, job_.alive, job_.beat, [this] { engine_lost(); });
        Faults faults(job_.inject, ranks_.rank, [&pulse] { pulse->stop(); });
        at_work = this;
        std::set_terminate(on_terminate);
        run_stage(faults);
        result.ok = true;
    } catch (...) {
        result = failed_result(std::current_exception());
    }
    result.cancelled = cancelled_;
    if (pulse)
        pulse->stop();
    finish(result);
}

/// One stage after another, until one leaves something behind.
[[noreturn]] void work_in_turns() {
    Turns turns;
    const RankFlags alone{.rank = "0", .world = "1", .local_rank = "0", .store = {}};
    const Ranks ranks = read_ranks(alone, {}, true);
    std::optional<Plugins> plugins;
    while (std::optional<std::string> text = turns.next()) {
        Job job = parse_job(std::move(*text), "what the engine said");
        check_world(ranks, job);
        if (!plugins) {  // the same for every job that comes here
            set_environment(job);
            plugins.emplace(job.plugins);
        }
        Worker(job, ranks, *plugins).work();
        if (!turns.left_nothing())
            break;
        turns.done();
    }
    leave(kExitOk);
}

}  // namespace

void run_worker(std::vector<std::string> words, std::span<char> title) {
    if (!words.empty() && words[0] == kForksFlag)
        words = serve_forks(title);
    try {
        WorkerFlags flags = read_flags(words);
        if (flags.parent > 0)
            die_with_parent(flags.parent);
        note_stop_signals();
        if (!flags.describe.empty())
            leave(describe_stages(flags.describe));
        if (flags.shared)
            work_in_turns();
        Job job = read_job(flags.job);
        Ranks ranks = read_ranks(flags.rank, environment_variables(), true);
        check_world(ranks, job);
        set_environment(job);
        Plugins plugins(job.plugins);
        Worker(job, ranks, plugins).work();
        leave(kExitOk);
    } catch (...) {
        Record failure = failed_result(std::current_exception());
        fmt::print(stderr, "error: {}\n", failure.text);
        if (!failure.hint.empty())
            fmt::print(stderr, "hint: {}\n", failure.hint);
        // Its own status tells what the machine refused from what a stage's code did.
        leave(failure.exit_code == kExitResource ? kStatusNoRecords : failure.exit_code);
    }
}

}  // namespace stillroom
