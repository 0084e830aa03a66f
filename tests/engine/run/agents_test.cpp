#include "engine/run/agents.h"

#include "engine/base/error.h"
#include "engine/base/files.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <thread>

using namespace stillroom;
namespace fs = std::filesystem;

namespace {

/// A folder of runs in which rank 0 meets agents that this test plays.
class Meeting {
public:
    explicit Meeting(int world)
        : root(fs::temp_directory_path() / ("agents-" + std::to_string(::getpid()))) {
        fs::remove_all(root);
        ranks.world = world;
        ranks.launcher = "torchrun";
        ranks.job = "a start";
        folder = meeting_folder(root, ranks);
    }
    ~Meeting() { fs::remove_all(root); }

    /// What rank `rank` says, once rank 0 says what `ready` waits for.
    template <class Ready>
    EngineNote await(Ready ready) {
        for (int i = 0; i < 6000; i++) {
            std::optional<EngineNote> note = read_engine_note(engine_note_file(folder));
            if (note && ready(*note))
                return *note;
            std::this_thread::sleep_for(std::chrono::milliseconds(10));
        }
        FAIL("rank 0 did not say it");
        return {};
    }
    void say(int rank, const AgentNote& note) {
        write_file(agent_note_file(folder, rank), note_text(note));
    }
    /// Agent `rank` comes: it says its nonce, sees it listed, and says what it saw.
    AgentNote come(int rank, const RankIdentity& identity = {}) {
        AgentNote note;
        note.identity = identity;
        note.nonce = "nonce of " + std::to_string(rank);
        note.host = "node0" + std::to_string(rank);
        note.beat = 1;
        say(rank, note);
        EngineNote engine = await([&](const EngineNote& seen) {
            auto mine = seen.members.find(rank);
            return mine != seen.members.end() && mine->second == note.nonce;
        });
        note.seen = engine.nonce;
        note.beat = 2;
        say(rank, note);
        return note;
    }
    void leave(int rank, AgentNote note) {
        note.left = true;
        note.beat++;
        say(rank, note);
    }

    fs::path root, folder;
    Ranks ranks;
};

std::string failure(Agents& agents, int code = kExitRanks) {
    try {
        agents.meet({});
    } catch (const Error& error) {
        CHECK(error.exit_code() == code);
        return error.what();
    }
    return "none";
}

}  // namespace

TEST_CASE("notes come back from their text as they were") {
    EngineNote note{"n",
                    3,
                    {{1, "a"}, {12, "b"}},
                    {{4, 1, {"worker", "--job", "a b"}, "o", 2, 15}},
                    true,
                    7,
                    "why \"x\"",
                    "node01",
                    42,
                    12.5,
                    0.25};
    fs::path file = fs::temp_directory_path() / ("note-" + std::to_string(::getpid()));
    write_file(file, note_text(note));
    std::optional<EngineNote> back = read_engine_note(file);
    REQUIRE(back);
    CHECK(note_text(*back) == note_text(note));
    AgentNote agent{"n", "host", 12, 9, "s", true, {{4, true, 1, 9, 77, "t", "e"}}, {"p", "r"}};
    write_file(file, note_text(agent));
    std::optional<AgentNote> again = read_agent_note(file);
    REQUIRE(again);
    CHECK(note_text(*again) == note_text(agent));
    for (const char* broken : {"", "{", "[]", "{\"nonce\": 1, \"orders\": {}, \"members\": []}"}) {
        std::ofstream(file) << broken;
        std::optional<EngineNote> nothing = read_engine_note(file);
        CHECK((!nothing || nothing->nonce.empty()));
    }
    fs::remove(file);
    CHECK(!read_engine_note(file));
}

TEST_CASE("rank 0 meets its agents, gives orders and tells them the end") {
    Meeting meeting(2);
    Agents agents(meeting.ranks, meeting.root, {60, 0.1});
    AgentNote note = meeting.come(1);
    agents.meet({});
    CHECK(agents.host(1) == "node01");
    auto process = agents.start(1, {"stillroom", "worker", "--job", "f"}, "out");
    EngineNote seen =
        meeting.await([](const EngineNote& engine) { return !engine.orders.empty(); });
    CHECK(seen.orders[0].rank == 1);
    CHECK(seen.orders[0].words == std::vector<std::string>{"worker", "--job", "f"});
    CHECK(!process->poll());
    process->signal(SIGTERM);
    meeting.await([](const EngineNote& engine) { return engine.orders[0].signal == SIGTERM; });
    note.orders.push_back({seen.orders[0].id, true, 3, 0, 5, "t", ""});
    note.beat++;
    meeting.say(1, note);
    for (int i = 0; i < 6000 && !process->poll(); i++)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    REQUIRE(process->ended());
    CHECK(process->ended()->status == 3);
    process.reset();
    meeting.await([](const EngineNote& engine) { return engine.orders.empty(); });
    std::thread agent([&] {
        EngineNote last = meeting.await([](const EngineNote& engine) { return engine.ended; });
        CHECK(last.exit_code == 6);
        CHECK(last.message == "loss is NaN");
        meeting.leave(1, note);
    });
    agents.end(6, "loss is NaN");
    agent.join();
    CHECK(!fs::exists(meeting.folder));
}

TEST_CASE("P3: of ranks that do not come rank 0 says which, within its timeout") {
    Meeting meeting(4);
    Agents agents(meeting.ranks, meeting.root, {3, 0.05});
    meeting.come(1);
    meeting.come(2);
    CHECK(failure(agents) ==
          "of 4 ranks rank 0, 1 on node01 and 2 on node02 came, 3 did not within 3 s");
}

TEST_CASE("P3: of two processes that say they are rank 0 one at least says so") {
    Meeting meeting(2);
    Agents first(meeting.ranks, meeting.root, {3, 0.05});
    Agents second(meeting.ranks, meeting.root, {3, 0.05});
    std::string said = failure(first) + failure(second);
    CHECK(said.find(" is rank 0 of 2 too") != std::string::npos);
}

TEST_CASE("P5: a rank with another recipe or of another build is refused, and named") {
    struct Case {
        RankIdentity agent;
        const char* message;
    };
    for (const Case& each :
         {Case{{"build", "other"}, "rank 1 on node01 was started with another recipe than rank 0"},
          Case{{"other", "recipe"},
               "rank 1 on node01 is another build of stillroom than rank 0: "
               "other and build"},
          Case{{"", "recipe"}, "none"},
          Case{{"build", "recipe"}, "none"}}) {
        Meeting meeting(2);
        Agents agents(meeting.ranks, meeting.root, {60, 0.05}, {"build", "recipe"});
        AgentNote note = meeting.come(1, each.agent);
        CHECK(failure(agents, kExitIntegrity) == each.message);
        meeting.leave(1, note);
    }
}

TEST_CASE("an agent of an earlier start is not taken for one of this") {
    Meeting meeting(2);
    fs::create_directories(meeting.folder);
    AgentNote old;
    old.nonce = "old";
    old.seen = "an engine of last week";
    meeting.say(1, old);
    Agents agents(meeting.ranks, meeting.root, {3, 0.05});
    CHECK(failure(agents).ends_with("came, 1 did not within 3 s"));
    meeting.come(1);
    agents.meet({});
}

TEST_CASE("an agent whose beats stop has lost its process") {
    Meeting meeting(2);
    Agents agents(meeting.ranks, meeting.root, {60, 0.05});
    meeting.come(1);
    agents.meet({});
    auto process = agents.start(1, {"stillroom", "worker"}, "out");
    for (int i = 0; i < 6000 && !process->poll(); i++)
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    REQUIRE(process->ended());
    CHECK(process->ended()->signal == SIGKILL);
}

TEST_CASE("ranks that share no name cannot meet, those of another start meet elsewhere") {
    Ranks ranks;
    ranks.world = 2;
    CHECK_THROWS_AS(meeting_folder("runs", ranks), Error);
    ranks.job = "a";
    fs::path one = meeting_folder("runs", ranks);
    ranks.job = "b";
    CHECK(meeting_folder("runs", ranks) != one);
    CHECK(one.parent_path().filename() == ".agents");
}

TEST_CASE("torchrun is told why a rank failed in the form that it reads") {
    Ranks ranks;
    ranks.error_file =
        (fs::temp_directory_path() / ("error-" + std::to_string(::getpid()))).string();
    write_error_file(ranks, "loss is \"NaN\"");
    std::string text = read_file(ranks.error_file, 1000);
    CHECK(text.starts_with(
        "{\"message\":{\"message\":\"loss is \\\"NaN\\\"\",\"extraInfo\":{\"timestamp\":\""));
    fs::remove(ranks.error_file);
}
