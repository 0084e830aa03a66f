#include "engine/run/runners.h"

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "tests/engine/run/toy_fixture.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <thread>

using namespace stillroom;
using namespace stillroom::test;
namespace fs = std::filesystem;

namespace {

constexpr double kShort = 20;  // seconds that nothing here takes

/// A launcher as mpirun is one: sets its variables, passes SIGUSR1 on, ends all when one fails.
constexpr const char* kStarter = R"(#!/bin/bash
world=$1; shift
pids=()
for ((rank = 0; rank < world; rank++)); do
    OMPI_COMM_WORLD_RANK=$rank OMPI_COMM_WORLD_SIZE=$world \
    OMPI_COMM_WORLD_LOCAL_RANK=$rank OMPI_COMM_WORLD_LOCAL_SIZE=$world "$@" &
    pids+=($!)
done
trap 'kill -USR1 "${pids[@]}" 2>/dev/null' USR1
trap 'kill -KILL "${pids[@]}" 2>/dev/null; exit 1' TERM
for ((rank = 0; rank < world; rank++)); do
    wait "${pids[rank]}"; code=$?
    while kill -0 "${pids[rank]}" 2>/dev/null; do wait "${pids[rank]}"; code=$?; done
    [ $code -eq 0 ] && continue
    kill -KILL "${pids[@]}" 2>/dev/null
    echo "starter noticed that process rank $rank exited with $code"
    exit $code
done
)";

std::string starter(const Scratch& scratch) {
    fs::path file = scratch.path() / "starter";
    std::ofstream(file) << kStarter;
    ::chmod(file.c_str(), 0755);
    return file.string();
}

Launch launch_of(std::vector<std::string> command) {
    Launch launch;
    launch.name = "mpi";
    launch.kind = Launch::Kind::mpi;
    launch.command = std::move(command);
    return launch;
}

RunnerOptions with_program() {
    RunnerOptions options;
    options.program = stillroom_program();
    return options;
}

/// The ranks of a start from outside, all in this process: rank 0 here, each agent in a thread.
class Outside {
public:
    explicit Outside(int world) {
        for (int rank = 0; rank < world; rank++) {
            Ranks ranks;
            ranks.rank = ranks.local = rank;
            ranks.world = ranks.local_world = world;
            ranks.launcher = "torchrun";
            ranks.store = "127.0.0.1:1";
            ranks.job = "start";
            all.push_back(ranks);
        }
        codes.resize(static_cast<std::size_t>(world), -1);
        for (int rank = 1; rank < world; rank++)
            threads.emplace_back([this, rank] {
                auto at = static_cast<std::size_t>(rank);
                codes[at] =
                    run_agent(all[at], scratch.path() / "runs", times, {}, stillroom_program());
            });
        agents.emplace(all[0], scratch.path() / "runs", times);
    }
    ~Outside() { end(0); }

    std::unique_ptr<Runner> runner() {
        RunnerOptions options = with_program();
        options.agents = &*agents;
        return make_runner({}, all[0], options);
    }
    void end(int code) {
        agents->end(code, "why");
        for (std::thread& thread : threads)
            if (thread.joinable())
                thread.join();
    }

    AgentTimes times{60, 1};
    Scratch scratch;
    std::vector<Ranks> all;
    std::vector<int> codes;
    std::vector<std::thread> threads;
    std::optional<Agents> agents;
};

/// Stops a stage once each of its ranks has said that it works.
std::function<void(StageRun&, const Ran&)> stop_when_counting(int ranks) {
    return [ranks, stopped = false](StageRun& stage, const Ran& ran) mutable {
        for (int rank = 0; rank < ranks; rank++)
            if (!ran.find("progress", rank))
                return;
        if (!std::exchange(stopped, true))
            stage.stop();
    };
}

}  // namespace

TEST_CASE("a launcher starts the ranks of a stage, which meet; one rank needs no launcher") {
    Scratch scratch;
    auto runner =
        make_runner(launch_of({starter(scratch), "{ranks}", "{worker}"}), {}, with_program());
    Job job = toy_job(scratch, "toy.ranks", R"({"seconds": 60})");
    job.ranks = 3;
    Ran ran = run_with(*runner, job);
    CHECK(ran.end.exit_code == 0);
    for (int rank = 0; rank < 3; rank++) {
        REQUIRE(ran.find("start", rank));
        CHECK(ran.find("start", rank)->name == "mpi");
    }
    Scratch other;
    Ran alone = run_with(*runner, toy_job(other, "toy.write", R"({"text": "x"})"));
    CHECK(alone.end.exit_code == 0);
    CHECK(alone.find("start")->name == "flags");
}

TEST_CASE("P1: a rank that is killed under a launcher is named, the others end, 7") {
    Scratch scratch;
    auto runner =
        make_runner(launch_of({starter(scratch), "{ranks}", "{worker}"}), {}, with_program());
    Job job = toy_job(scratch, "toy.count", R"({"steps": 100, "step_seconds": 0.02})");
    job.ranks = 3;
    job.inject = {"3:sigkill:1"};
    Ran ran = run_with(*runner, job);
    CHECK(ran.end.exit_code == kExitRanks);
    CHECK(ran.end.rank == 1);
    CHECK(ran.end.message.find("rank 1") != std::string::npos);
    CHECK(ran.seconds < 3 * kShort);
}

TEST_CASE("a launcher that hangs with its ranks is told to end them") {
    Scratch scratch;
    auto runner =
        make_runner(launch_of({starter(scratch), "{ranks}", "{worker}"}), {}, with_program());
    Job job = toy_job(scratch, "toy.count", R"({"steps": 2000, "step_seconds": 0.02})");
    job.ranks = 2;
    job.timeout = 4;  // in which rank 0 surely has its turn
    job.inject = {"3:sigstop:1"};
    Ran ran = run_with(*runner, job);
    CHECK(ran.end.exit_code == kExitRanks);
    CHECK(ran.end.rank == 1);
    CHECK(ran.seconds < 3 * kShort);
}

TEST_CASE("a signal goes through the launcher to every rank, the stage stops with its work saved") {
    Scratch scratch;
    auto runner =
        make_runner(launch_of({starter(scratch), "{ranks}", "{worker}"}), {}, with_program());
    Job job = toy_job(scratch, "toy.count", R"({"steps": 2000, "step_seconds": 0.02})");
    job.ranks = 2;
    Ran ran = run_with(*runner, job, stop_when_counting(2));
    CHECK(ran.end.exit_code == kExitStopped);
}

TEST_CASE("a launcher that is nowhere is refused before anything starts") {
    CHECK_THROWS_WITH_AS(make_runner(launch_of({"no-such-launcher", "{worker}"}), {}),
                         "launch=mpi needs 'no-such-launcher', which is not on PATH",
                         Error);
}

TEST_CASE("mpirun (Open MPI) starts a stage's ranks and ends them when one is killed") {
    if (::system("mpirun --version >/dev/null 2>&1") != 0) {
        MESSAGE("skipped: there is no mpirun");
        return;
    }
    Scratch scratch;
    auto runner = make_runner(
        launch_of(
            {"mpirun", "--allow-run-as-root", "--oversubscribe", "-np", "{ranks}", "{worker}"}),
        {},
        with_program());
    Job job = toy_job(scratch, "toy.ranks", R"({"seconds": 60})");
    job.ranks = 3;
    Ran ran = run_with(*runner, job);
    CHECK_MESSAGE(ran.end.exit_code == 0, ran.end.message);
    Scratch second;
    Job count = toy_job(second, "toy.count", R"({"steps": 2000, "step_seconds": 0.02})");
    count.ranks = 2;
    count.inject = {"3:sigkill:1"};
    Ran killed = run_with(*runner, count);
    CHECK(killed.end.exit_code == kExitRanks);
    CHECK(killed.end.rank == 1);
    Scratch third;
    Job saved = toy_job(third, "toy.count", R"({"steps": 2000, "step_seconds": 0.02})");
    saved.ranks = 2;
    CHECK(run_with(*runner, saved, stop_when_counting(2)).end.exit_code == kExitStopped);
}

TEST_CASE("started from outside, agents start the ranks they are told to and end with the run") {
    Outside outside(3);
    auto runner = outside.runner();
    Job job = toy_job(outside.scratch, "toy.ranks", R"({"seconds": 60})");
    job.ranks = 3;
    Ran ran = run_with(*runner, job);
    CHECK_MESSAGE(ran.end.exit_code == 0, ran.end.message);
    for (int rank = 0; rank < 3; rank++)
        REQUIRE(ran.find("start", rank));
    Scratch second;
    Job two = toy_job(second, "toy.ranks", R"({"seconds": 60})");
    two.ranks = 2;
    CHECK(run_with(*runner, two).end.exit_code == 0);
    Scratch third;
    Job four = toy_job(third, "toy.ranks");
    four.ranks = 4;
    CHECK_THROWS_WITH_AS(
        runner->start(four), "stage 'student': it wants 4 ranks, torchrun has started 3", Error);
    outside.end(8);
    CHECK(outside.codes == std::vector<int>{-1, 8, 8});
}

TEST_CASE("P1: an agent's rank that is killed is named, and the stage ends with 7") {
    Outside outside(2);
    auto runner = outside.runner();
    Job job = toy_job(outside.scratch, "toy.count", R"({"steps": 2000, "step_seconds": 0.02})");
    job.ranks = 2;
    job.inject = {"3:sigkill:1"};
    Ran ran = run_with(*runner, job);
    CHECK(ran.end.exit_code == kExitRanks);
    CHECK(ran.end.rank == 1);
    CHECK(ran.seconds < 3 * kShort);
}

TEST_CASE("agents pass a stop on to their ranks") {
    Outside outside(2);
    auto runner = outside.runner();
    Job job = toy_job(outside.scratch, "toy.count", R"({"steps": 2000, "step_seconds": 0.02})");
    job.ranks = 2;
    CHECK(run_with(*runner, job, stop_when_counting(2)).end.exit_code == kExitStopped);
}

TEST_CASE("P3: an agent without rank 0 gives up with 7 after its timeout") {
    Scratch scratch;
    Ranks ranks;
    ranks.rank = 1;
    ranks.world = 2;
    ranks.job = "start";
    ranks.error_file = (scratch.path() / "error.json").string();
    CHECK(run_agent(ranks, scratch.path() / "runs", {0.3, 0.1}) == kExitRanks);
    CHECK(read_file(ranks.error_file, 1000).find("rank 0 of 2 did not come within 0.3 s") !=
          std::string::npos);
}

TEST_CASE("P3: of two processes with one rank one says so and ends") {
    Scratch scratch;
    Ranks ranks;
    ranks.rank = 1;
    ranks.world = 2;
    ranks.job = "start";
    std::vector<int> codes(2, -1);
    std::vector<std::thread> twins;
    for (std::size_t i = 0; i < 2; i++)
        twins.emplace_back([&, i] {
            codes[i] = run_agent(ranks, scratch.path() / "runs", {3, 0.1});
        });
    for (std::thread& twin : twins)
        twin.join();
    CHECK(codes == std::vector<int>{kExitRanks, kExitRanks});
}
