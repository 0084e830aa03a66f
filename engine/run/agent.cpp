#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/host.h"
#include "engine/run/agents.h"
#include "engine/run/child.h"
#include "engine/run/signals.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <map>

// One rank that was started from outside beside rank 0: it does what rank 0's file says.

namespace stillroom {
namespace fs = std::filesystem;
namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kTick = std::chrono::milliseconds(50);
constexpr int kBeatsToLive = 10;

class Agent {
public:
    Agent(const Ranks& ranks,
          const fs::path& folder,
          const AgentTimes& times,
          const RankIdentity& identity,
          fs::path program)
        : ranks_(ranks),
          times_(times),
          program_(std::move(program)),
          folder_(folder),
          file_(agent_note_file(folder, ranks.rank)) {
        note_.nonce = draw_nonce();
        note_.pid = ::getpid();
        note_.host = host_name();
        note_.identity = identity;
    }

    /// Returns the run's exit code. Throws Error (exit 7).
    int serve();
    std::string message() const { return message_; }

private:
    struct Worker {
        std::unique_ptr<Child> child;
        int signals = 0;
    };

    void look();
    void obey(const EngineNote& engine);
    void start(const Order& order);
    void report();
    void say();
    void look_for_twin() const;
    void wait();

    const Ranks& ranks_;
    AgentTimes times_;
    fs::path program_;
    fs::path folder_;
    fs::path file_;
    AgentNote note_;
    std::map<std::uint64_t, Worker> workers_;
    std::optional<EngineNote> engine_;
    Clock::time_point heard_ = Clock::now();
    Clock::time_point next_beat_{};
    bool news_ = true;
    std::string message_;
};

/// What rank 0 says now. It is rank 0 of this start only if it knows our nonce.
void Agent::look() {
    std::optional<EngineNote> engine = read_engine_note(engine_note_file(folder_));
    if (!engine)
        return;
    auto mine = engine->members.find(ranks_.rank);
    if (mine == engine->members.end() || mine->second != note_.nonce)
        return;
    if (engine_ && engine->nonce != engine_->nonce)
        return;  // a second process that says it is rank 0
    if (!engine_ || engine->beat != engine_->beat)
        heard_ = Clock::now();
    if (!engine_) {
        if (engine->timeout > 0 && engine->beat_seconds > 0)  // what its own recipe says counts
            times_ = {engine->timeout, engine->beat_seconds};
        note_.seen = engine->nonce;
        news_ = true;
    }
    engine_ = std::move(engine);
}

void Agent::start(const Order& order) {
    OrderState state;
    state.id = order.id;
    try {
        std::vector<std::string> words = {program_.string()};
        words.insert(words.end(), order.words.begin(), order.words.end());
        words.insert(words.end(), {"--local-rank", std::to_string(ranks_.local)});
        words.insert(words.end(), {"--parent", std::to_string(::getpid())});
        workers_[order.id].child = std::make_unique<Child>(words, order.output);
    } catch (const Error& error) {
        state.ended = true;
        state.status = error.exit_code();
        state.error = error.what();
        workers_[order.id];
    }
    note_.orders.push_back(state);
    news_ = true;
}

void Agent::obey(const EngineNote& engine) {
    for (const Order& order : engine.orders) {
        if (order.rank != ranks_.rank)
            continue;
        if (workers_.find(order.id) == workers_.end())
            start(order);
        Worker& worker = workers_[order.id];
        if (order.signals == worker.signals || !worker.child)
            continue;
        worker.signals = order.signals;
        if (order.signal == SIGKILL)
            worker.child->kill();
        else
            worker.child->signal(order.signal);
    }
    auto wanted = [&](std::uint64_t id) {
        return std::any_of(engine.orders.begin(), engine.orders.end(), [&](const Order& order) {
            return order.id == id;
        });
    };
    std::erase_if(workers_, [&](const auto& worker) { return !wanted(worker.first); });
    std::erase_if(note_.orders, [&](const OrderState& state) { return !wanted(state.id); });
}

void Agent::report() {
    for (OrderState& state : note_.orders) {
        const Worker& worker = workers_[state.id];
        if (state.ended || !worker.child)
            continue;
        const std::optional<Exit>& exit = worker.child->poll();
        if (!exit)
            continue;
        state.ended = true;
        state.status = exit->status;
        state.signal = exit->signal;
        state.peak = exit->peak;
        state.time = exit->time;
        news_ = true;
    }
}

void Agent::say() {
    if (!news_ && Clock::now() < next_beat_)
        return;
    note_.beat++;
    try {
        fs::create_directories(folder_);
        write_file(file_, note_text(note_));
        news_ = false;
    } catch (const std::exception&) {
        // once more at the next tick; rank 0 gives us up if it stays so
    }
    next_beat_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                    std::chrono::duration<double>(times_.beat));
}

/// Two processes of one rank write one file: the one that finds the other's there says so.
void Agent::look_for_twin() const {
    std::optional<AgentNote> there = read_agent_note(file_);
    if (note_.beat == 0 || !there || there->nonce == note_.nonce)
        return;
    throw Error({},
                fmt::format("process {} on {} is rank {} of {} too",
                            there->pid,
                            there->host,
                            ranks_.rank,
                            ranks_.world))
        .hint("each process needs a rank of its own from whoever starts them")
        .exit_code(kExitRanks);
}

void Agent::wait() {
    std::vector<int> descriptors;
    for (const auto& [id, worker] : workers_)
        if (worker.child && !worker.child->ended() && worker.child->descriptor() >= 0)
            descriptors.push_back(worker.child->descriptor());
    wait_for_any(descriptors, kTick);
}

int Agent::serve() {
    auto seconds_since = [](Clock::time_point then) {
        return std::chrono::duration<double>(Clock::now() - then).count();
    };
    for (;;) {
        if (!engine_)
            look_for_twin();
        look();
        if (engine_ && engine_->ended) {
            workers_.clear();
            note_.orders.clear();
            note_.left = true;
            news_ = true;
            say();
            message_ = engine_->message;
            return engine_->exit_code;
        }
        if (engine_)
            obey(*engine_);
        report();
        say();
        if (!engine_ && asked().stops > 0)
            return exit_of_stop(asked().last);
        if (!engine_ && seconds_since(heard_) > times_.timeout)
            throw Error(
                {},
                fmt::format(
                    "rank 0 of {} did not come within {:g} s", ranks_.world, times_.timeout))
                .hint("all ranks must see the folder of runs; this one looked in " +
                      folder_.string())
                .exit_code(kExitRanks);
        if (engine_ && seconds_since(heard_) > times_.beat * kBeatsToLive)
            throw Error({},
                        fmt::format("rank 0 is gone: {} did not change for {:g} s",
                                    engine_note_file(folder_).string(),
                                    times_.beat * kBeatsToLive))
                .exit_code(kExitRanks);
        wait();
    }
}

}  // namespace

int run_agent(const Ranks& ranks,
              const fs::path& run_root,
              const AgentTimes& times,
              const RankIdentity& identity,
              const fs::path& program) {
    watch_signals();
    std::string message;
    int code = 0;
    try {
        fs::path folder = meeting_folder(run_root, ranks);
        fs::create_directories(folder);
        Agent agent(ranks, folder, times, identity, program.empty() ? program_path() : program);
        code = agent.serve();
        message = agent.message();
    } catch (const Error& error) {
        message = fmt::format("rank {}: {}", ranks.rank, error.what());
        code = error.exit_code();
        std::fputs((error.render() + "\n").c_str(), stderr);
    } catch (const fs::filesystem_error& error) {
        message = fmt::format("rank {} cannot write {}: {}",
                              ranks.rank,
                              error.path1().string(),
                              error.code().message());
        code = kExitResource;
        std::fputs(("error: " + message + "\n").c_str(), stderr);
    }
    if (code != 0)
        write_error_file(ranks, message);
    return code;
}

}  // namespace stillroom
