#include "engine/run/agents.h"

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/host.h"
#include "engine/base/json.h"
#include "engine/base/sha256.h"
#include "engine/base/text.h"
#include "engine/base/units.h"
#include "engine/run/record.h"
#include "engine/run/signals.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <condition_variable>
#include <ctime>
#include <mutex>
#include <thread>

namespace stillroom {
namespace fs = std::filesystem;

namespace {

using Clock = std::chrono::steady_clock;
constexpr auto kTick = std::chrono::milliseconds(50);
constexpr int kBeatsToLive = 10;
constexpr double kFarewell = 30;  // seconds that an ending engine waits for its agents

}  // namespace

struct Agents::Board {
    struct Agent {
        AgentNote note;
        Clock::time_point changed{};
        bool came = false;
        bool lost = false;
    };

    Board(const Ranks& ranks,
          const fs::path& run_root,
          const AgentTimes& given,
          RankIdentity own_identity)
        : times(given),
          identity(std::move(own_identity)),
          folder(meeting_folder(run_root, ranks)),
          agents(static_cast<std::size_t>(ranks.world)) {
        fs::create_directories(folder);
        note.nonce = draw_nonce();
        note.host = host_name();
        note.pid = ::getpid();
        note.timeout = times.timeout;
        note.beat_seconds = times.beat;
        write_file(engine_note_file(folder), note_text(note));
        thread = std::thread([this] { keep(); });
    }
    Board(const Board&) = delete;
    Board& operator=(const Board&) = delete;
    ~Board() { close(); }

    void close() {
        {
            std::lock_guard lock(mutex);
            closing = true;
        }
        wakes.notify_all();
        if (thread.joinable())
            thread.join();
    }

    /// Under the lock: what is new reaches the agents at once.
    void changed() {
        dirty = true;
        wakes.notify_all();
    }

    Agent& agent(int rank) { return agents[static_cast<std::size_t>(rank)]; }

    void keep();
    void read_agents();
    void look_for_twin();
    void hear(int rank, AgentNote heard, Clock::time_point now);

    AgentTimes times;
    RankIdentity identity;
    fs::path folder;
    mutable std::mutex mutex;
    std::condition_variable wakes;   // the thread of beats
    std::condition_variable heard_;  // who waits for the agents
    EngineNote note;
    std::vector<Agent> agents;  // by rank; the first is not used
    std::uint64_t next_order = 0;
    std::uint64_t exits = 0;
    bool dirty = false;
    bool closing = false;
    bool met = false;
    std::string twin;  // another process that says it is rank 0 of this start
    std::thread thread;
};

void Agents::Board::hear(int rank, AgentNote heard, Clock::time_point now) {
    Agent& one = agent(rank);
    bool new_beat = heard.nonce != one.note.nonce || heard.beat != one.note.beat;
    if (heard.nonce != note.members[rank] && !one.came) {
        note.members[rank] = heard.nonce;
        changed();
    }
    if (heard.nonce != note.members[rank])
        return;  // a second process of that rank; the first one says so and ends
    one.came = one.came || heard.seen == note.nonce;
    one.note = std::move(heard);
    if (new_beat) {
        one.changed = now;
        one.lost = false;
    }
}

void Agents::Board::read_agents() {
    for (int rank = 1; rank < static_cast<int>(agents.size()); rank++) {
        std::optional<AgentNote> heard = read_agent_note(agent_note_file(folder, rank));
        std::lock_guard lock(mutex);
        Clock::time_point now = Clock::now();
        if (heard)
            hear(rank, std::move(*heard), now);
        Agent& one = agent(rank);
        if (one.came && !one.note.left &&
            now - one.changed > std::chrono::duration<double>(times.beat * kBeatsToLive))
            one.lost = true;
    }
    heard_.notify_all();
}

/// Two processes that say they are rank 0 write one file. The agents follow the first that they
/// met; the other one, or both before anybody was met, end.
void Agents::Board::look_for_twin() {
    std::optional<EngineNote> there = read_engine_note(engine_note_file(folder));
    std::lock_guard lock(mutex);
    if (there && !met && !there->ended && there->nonce != note.nonce)
        twin = fmt::format("process {} on {}", there->pid, escape_controls(there->host));
}

/// The thread of beats. A folder that cannot be written for a while costs beats, not the run.
void Agents::Board::keep() {
    Clock::time_point next_beat = Clock::now();
    // Many agents are looked at less often: each look opens a file, maybe over a network.
    auto pause = std::max<Clock::duration>(kTick, std::chrono::milliseconds(2) * agents.size());
    for (;;) {
        std::string text;
        {
            std::unique_lock lock(mutex);
            wakes.wait_for(lock, pause, [this] { return closing || dirty; });
        }
        look_for_twin();  // before our own note replaces what is there
        {
            std::lock_guard lock(mutex);
            if (closing && (!dirty || !twin.empty()))
                return;
            if (!twin.empty()) {
                heard_.notify_all();
                continue;
            }
            if (dirty || Clock::now() >= next_beat) {
                note.beat++;
                text = note_text(note);
                dirty = false;
                next_beat = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                               std::chrono::duration<double>(times.beat));
            }
        }
        try {
            if (!text.empty())
                write_file(engine_note_file(folder), text);
        } catch (const Error&) {
            std::lock_guard lock(mutex);
            dirty = !closing;
        }
        read_agents();
    }
}

namespace {

/// A process that an agent holds, as far as its file tells.
class RemoteProcess final : public Process {
public:
    RemoteProcess(std::shared_ptr<Agents::Board> board, int rank, std::uint64_t id)
        : board_(std::move(board)),
          rank_(rank),
          id_(id) {}
    RemoteProcess(const RemoteProcess&) = delete;
    RemoteProcess& operator=(const RemoteProcess&) = delete;
    ~RemoteProcess() override {
        std::lock_guard lock(board_->mutex);
        std::erase_if(board_->note.orders, [&](const Order& order) { return order.id == id_; });
        board_->changed();
    }

    const std::optional<Exit>& poll() override {
        if (exit_)
            return exit_;
        std::lock_guard lock(board_->mutex);
        const Agents::Board::Agent& agent = board_->agent(rank_);
        for (const OrderState& state : agent.note.orders)
            if (state.id == id_ && state.ended)
                take(state);
        if (!exit_ && (agent.lost || agent.note.left)) {
            exit_ = Exit{};
            exit_->signal = SIGKILL;  // its own host or starter ended it, or cut it off
            exit_->time = utc_now();
            exit_->order = ++board_->exits;
        }
        return exit_;
    }
    const std::optional<Exit>& ended() const override { return exit_; }

    void signal(int number) override {
        std::lock_guard lock(board_->mutex);
        for (Order& order : board_->note.orders)
            if (order.id == id_ && order.signal != SIGKILL) {
                order.signals++;
                order.signal = number;
                board_->changed();
            }
    }
    void kill() override { signal(SIGKILL); }
    int descriptor() const override { return -1; }
    std::string host() const override {
        std::lock_guard lock(board_->mutex);
        return board_->agent(rank_).note.host;
    }

private:
    void take(const OrderState& state) {
        exit_ = Exit{};
        exit_->status = state.status;
        exit_->signal = state.signal;
        exit_->peak = state.peak;
        exit_->time = state.time;
        exit_->order = ++board_->exits;
    }

    std::shared_ptr<Agents::Board> board_;
    int rank_;
    std::uint64_t id_;
    std::optional<Exit> exit_;
};

std::string arrived(const std::vector<Agents::Board::Agent>& agents) {
    std::vector<std::string> here = {"rank 0"}, missing;
    for (std::size_t rank = 1; rank < agents.size(); rank++)
        if (agents[rank].came)
            here.push_back(fmt::format("{} on {}", rank, escape_controls(agents[rank].note.host)));
        else
            missing.push_back(std::to_string(rank));
    constexpr std::size_t kMostNamed = 16;
    for (std::vector<std::string>* list : {&here, &missing})
        if (std::size_t all = list->size(); all > kMostNamed) {
            list->resize(kMostNamed);
            list->push_back(fmt::format("{} more", all - kMostNamed));
        }
    return fmt::format("{} came, {} did not", join(here), join(missing));
}

/// Throws Error (exit 9) where an agent is not what rank 0 is.
void compare(const RankIdentity& engine, const std::vector<Agents::Board::Agent>& agents) {
    for (std::size_t rank = 1; rank < agents.size(); rank++) {
        const AgentNote& note = agents[rank].note;
        std::string who = fmt::format("rank {} on {}", rank, escape_controls(note.host));
        const RankIdentity& own = note.identity;
        if (!engine.program.empty() && !own.program.empty() && own.program != engine.program)
            throw Error({},
                        fmt::format("{} is another build of stillroom than rank 0: {} and {}",
                                    who,
                                    escape_controls(shorten(own.program, 40)),
                                    engine.program))
                .hint("every host must start the same program")
                .exit_code(kExitIntegrity);
        if (own.recipe != engine.recipe)
            throw Error({}, fmt::format("{} was started with another recipe than rank 0", who))
                .hint("every rank is given the same recipe and the same overrides")
                .exit_code(kExitIntegrity);
    }
}

}  // namespace

AgentTimes agent_times(double timeout) {
    constexpr double kLongestBeat = 2, kShortestBeat = 0.05;
    return {timeout, std::clamp(timeout / kBeatsToLive, kShortestBeat, kLongestBeat)};
}

fs::path meeting_folder(const fs::path& run_root, const Ranks& ranks) {
    if (ranks.job.empty())
        throw Error(
            {},
            fmt::format("{} tells {} ranks nothing that they share", ranks.launcher, ranks.world))
            .hint("give all of them the same new name: STILLROOM_JOB=NAME")
            .exit_code(kExitUsage);
    std::string id = sha256_hex(ranks.launcher + "\n" + ranks.job).substr(0, 16);
    return fs::absolute(run_root) / ".agents" / id;
}

Agents::Agents(const Ranks& ranks,
               const fs::path& run_root,
               const AgentTimes& times,
               const RankIdentity& identity)
    : ranks_(ranks) {
    if (ranks.from_outside())
        board_ = std::make_shared<Board>(ranks, run_root, times, identity);
}

Agents::~Agents() {
    end(kExitInternal, "the engine gave up");
}

void Agents::meet(const std::function<int()>& stop) {
    if (!board_)
        return;
    std::unique_lock lock(board_->mutex);
    auto end = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                  std::chrono::duration<double>(board_->times.timeout));
    auto all_came = [&] {
        return std::all_of(board_->agents.begin() + 1,
                           board_->agents.end(),
                           [](const Board::Agent& agent) { return agent.came; });
    };
    while (!all_came()) {
        if (int signal = stop ? stop() : 0)
            throw Error(
                {},
                fmt::format("stopped by {} while waiting for the other ranks", signal_name(signal)))
                .exit_code(exit_of_stop(signal));
        if (!board_->twin.empty())
            throw Error({}, fmt::format("{} is rank 0 of {} too", board_->twin, ranks_.world))
                .hint("each process needs a rank of its own from whoever starts them")
                .exit_code(kExitRanks);
        if (Clock::now() >= end)
            throw Error({},
                        fmt::format("of {} ranks {} within {:g} s",
                                    ranks_.world,
                                    arrived(board_->agents),
                                    board_->times.timeout))
                .hint("all ranks must see the folder of runs, " +
                      board_->folder.parent_path().parent_path().string())
                .exit_code(kExitRanks);
        board_->heard_.wait_for(lock, kTick);
    }
    compare(board_->identity, board_->agents);
    board_->met = true;
}

std::unique_ptr<Process> Agents::start(int rank,
                                       const std::vector<std::string>& words,
                                       const fs::path& output) {
    std::lock_guard lock(board_->mutex);
    Order order;
    order.id = ++board_->next_order;
    order.rank = rank;
    order.words.assign(words.begin() + 1, words.end());
    order.output = fs::absolute(output).string();
    board_->note.orders.push_back(order);
    board_->changed();
    return std::make_unique<RemoteProcess>(board_, rank, order.id);
}

void Agents::end(int exit_code, const std::string& message) {
    if (!board_)
        return;
    {
        std::unique_lock lock(board_->mutex);
        board_->note.ended = true;
        board_->note.exit_code = exit_code;
        board_->note.message = message;
        board_->changed();
        double patience = board_->twin.empty() ? std::min(kFarewell, board_->times.timeout) : 0;
        board_->heard_.wait_for(lock, std::chrono::duration<double>(patience), [&] {
            return std::all_of(
                board_->agents.begin() + 1, board_->agents.end(), [](const Board::Agent& agent) {
                    return agent.note.left || agent.lost;
                });
        });
    }
    board_->close();
    std::error_code ignored;
    if (board_->twin.empty())  // else it is the other one's
        fs::remove_all(board_->folder, ignored);
    fs::remove(board_->folder.parent_path(), ignored);  // if it was the last one
    board_.reset();
    if (exit_code != 0)
        write_error_file(ranks_, message);
}

std::string Agents::host(int rank) const {
    if (!board_ || rank == 0)
        return "";
    std::lock_guard lock(board_->mutex);
    return board_->agent(rank).note.host;
}

void write_error_file(const Ranks& ranks, const std::string& message) noexcept {
    if (ranks.error_file.empty())
        return;
    try {
        JsonWriter out;
        out.begin_object();
        out.key("message"), out.begin_object();
        out.key("message"), out.string(message);
        out.key("extraInfo"), out.begin_object();
        out.key("timestamp"), out.string(std::to_string(std::time(nullptr)));
        out.end_object();
        out.end_object();
        out.end_object();
        write_file(ranks.error_file, out.take());
    } catch (const std::exception&) {
        // torchrun then says only that the rank failed
    }
}

}  // namespace stillroom
