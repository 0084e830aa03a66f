#include "engine/run/shared_workers.h"

#include "engine/base/files.h"
#include "tests/engine/run/toy_fixture.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

namespace stillroom::test {
namespace fs = std::filesystem;
namespace {

Job shared_job(const Scratch& scratch,
               const std::string& use = "toy.noop",
               const std::string& settings = "{}") {
    Job job = toy_job(scratch, use, settings);
    job.shares_process = true;
    return job;
}

struct Done {
    Ran ran;
    long pid = 0;
    std::string text;
};

Done do_one(LocalRunner& runner,
            const std::string& use = "toy.noop",
            const std::string& settings = "{}") {
    Scratch scratch;
    Done done{run_with(runner, shared_job(scratch, use, settings)), 0, ""};
    const Record* start = done.ran.find("start");
    done.pid = start ? start->pid : 0;
    fs::path made = scratch.path() / "report" / "text.txt";
    if (fs::exists(made))
        done.text = read_file(made, 100);
    return done;
}

bool is_there(long pid) {
    return ::kill(static_cast<pid_t>(pid), 0) == 0;
}

TEST_CASE("stages that share a process are done by one worker, each with files of its own") {
    LocalRunner runner(stillroom_program());
    Done first = do_one(runner, "toy.noop", R"({"name": "one"})");
    Done second = do_one(runner, "toy.noop", R"({"name": "two"})");
    CHECK(first.ran.end.exit_code == 0);
    CHECK(second.ran.end.exit_code == 0);
    CHECK(first.text == "one");
    CHECK(second.text == "two");
    CHECK(first.pid > 0);
    CHECK(first.pid == second.pid);
    for (const Done& each : {first, second})
        for (const char* event : {"start", "plugin", "result"})
            CHECK(each.ran.find(event));
    CHECK(is_there(second.pid));
}

TEST_CASE("a worker goes with its runner") {
    long pid = 0;
    {
        LocalRunner runner(stillroom_program());
        pid = do_one(runner).pid;
        REQUIRE(is_there(pid));
    }
    CHECK_FALSE(is_there(pid));
}

TEST_CASE("after a stage that fails, however it does, comes a new process") {
    for (std::string settings : {R"({"how": "error"})",
                                 R"({"how": "throw"})",
                                 R"({"how": "exit", "code": 0})",
                                 R"({"how": "abort"})",
                                 R"({"how": "segv"})",
                                 R"({"how": "kill"})"}) {
        CAPTURE(settings);
        LocalRunner runner(stillroom_program());
        long before = do_one(runner).pid;
        Done failed = do_one(runner, "toy.fail", settings);
        CHECK(failed.pid == before);
        CHECK(failed.ran.end.exit_code != 0);
        CHECK(failed.ran.end.message != "");
        Done after = do_one(runner, "toy.noop", R"({"name": "after"})");
        CHECK(after.ran.end.exit_code == 0);
        CHECK(after.pid != before);
        CHECK(after.text == "after");
    }
}

TEST_CASE("a stage that leaves something behind is the last of its process, and counts") {
    for (std::string what : {"thread", "child", "file", "folder"}) {
        CAPTURE(what);
        LocalRunner runner(stillroom_program());
        std::string settings = R"({"name": "x", "leaves": ")" + what + R"("})";
        Done leaves = do_one(runner, "toy.noop", settings);
        CHECK(leaves.ran.end.exit_code == 0);
        CHECK(leaves.text == "x");
        CHECK(do_one(runner).pid != leaves.pid);
    }
}

TEST_CASE("a stage that was told to stop is the last of its process") {
    LocalRunner runner(stillroom_program());
    Scratch scratch;
    bool told = false;
    Ran ran = run_with(runner,
                       shared_job(scratch, "toy.sleep", R"({"seconds": 60})"),
                       [&](StageRun& stage, const Ran& so_far) {
                           if (!told && so_far.find("start")) {
                               stage.stop();
                               told = true;
                           }
                       });
    CHECK(ran.seconds < 30);
    CHECK(do_one(runner).pid != ran.find("start")->pid);
}

TEST_CASE("a worker that is killed while it is free is replaced") {
    LocalRunner runner(stillroom_program());
    long pid = do_one(runner).pid;
    ::kill(static_cast<pid_t>(pid), SIGKILL);
    siginfo_t seen{};
    REQUIRE(::waitid(P_PID, static_cast<id_t>(pid), &seen, WEXITED | WNOWAIT) == 0);
    Done next = do_one(runner);
    CHECK(next.ran.end.exit_code == 0);
    CHECK(next.pid != pid);
}

TEST_CASE("two stages at once have a worker each") {
    LocalRunner runner(stillroom_program());
    Scratch one, two;
    std::unique_ptr<StageRun> first =
        runner.start(shared_job(one, "toy.sleep", R"({"seconds": 60})"));
    Done second = do_one(runner);
    CHECK(second.ran.end.exit_code == 0);
    first->kill();
    CHECK(eventually([&] {
        first->records();
        return first->ended().has_value();
    }));
}

TEST_CASE("only what is alike and alone shares a process") {
    Scratch scratch;
    CHECK(SharedWorkers::take(shared_job(scratch)));
    Job job = shared_job(scratch);
    job.ranks = 2;
    CHECK_FALSE(SharedWorkers::take(job));
    job = shared_job(scratch);
    job.environment["A"] = "b";
    CHECK_FALSE(SharedWorkers::take(job));
    job = shared_job(scratch);
    job.inject = {"1:segv"};
    CHECK_FALSE(SharedWorkers::take(job));
    CHECK_FALSE(SharedWorkers::take(toy_job(scratch, "toy.noop")));

    LocalRunner runner(stillroom_program());
    long pid = do_one(runner).pid;
    Scratch other;
    job = shared_job(other);
    job.threads = 2;  // which libraries read once
    CHECK(run_with(runner, job).find("start")->pid != pid);
}

}  // namespace
}  // namespace stillroom::test
