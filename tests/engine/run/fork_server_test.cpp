#include "engine/run/fork_server.h"

#include "engine/base/error.h"
#include "engine/run/local_runner.h"
#include "tests/engine/run/toy_fixture.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <unistd.h>

#include <fstream>
#include <iterator>

namespace stillroom::test {
namespace fs = std::filesystem;
namespace {

std::string command_line(long pid) {
    std::ifstream file(fs::path("/proc") / std::to_string(pid) / "cmdline");
    std::string text{std::istreambuf_iterator<char>(file), {}};
    for (char& c : text)
        c = c == '\0' ? ' ' : c;
    return text.substr(0, text.find_last_not_of(' ') + 1);
}

long parent_of(long pid) {
    std::ifstream file(fs::path("/proc") / std::to_string(pid) / "stat");
    std::string text{std::istreambuf_iterator<char>(file), {}};
    text.erase(0, text.rfind(')') + 4);  // ") S "
    return std::atol(text.c_str());
}

/// Our children that serve forks.
std::vector<long> servers() {
    std::vector<long> found;
    for (const fs::directory_entry& entry : fs::directory_iterator("/proc")) {
        long pid = std::atol(entry.path().filename().c_str());
        if (pid > 0 && parent_of(pid) == ::getpid() &&
            command_line(pid).find(" worker --forks") != std::string::npos)
            found.push_back(pid);
    }
    return found;
}

/// How a stage ends that was stopped once `look` had seen its worker.
Ran look_at_second(const std::function<void(LocalRunner&)>& between,
                   const std::function<void(long pid)>& look) {
    Scratch scratch;
    LocalRunner runner(stillroom_program());
    CHECK(servers().empty());
    warm(runner);
    CHECK(servers().empty());  // one worker needs none
    between(runner);
    bool looked = false;
    return run_with(runner,
                    toy_job(scratch, "toy.sleep", R"({"seconds": 600})"),
                    [&](StageRun& stage, const Ran& ran) {
                        const Record* start = ran.find("start");
                        if (!start || looked)
                            return;
                        looked = true;
                        look(start->pid);
                        stage.stop();
                    });
}

TEST_CASE("a forked worker is the engine's child, and looks like an executed one") {
    long seen = 0;
    Ran ran = look_at_second([](LocalRunner&) {},
                             [&](long pid) {
                                 seen = pid;
                                 CHECK(servers().size() == 1);
                                 CHECK(parent_of(pid) == ::getpid());
                                 CHECK(::getpgid(static_cast<pid_t>(pid)) == pid);
                                 std::string words = command_line(pid);
                                 CHECK(words.find(" worker --job ") != std::string::npos);
                                 CHECK(words.ends_with("--local-rank 0"));
                                 fs::path fds = fs::path("/proc") / std::to_string(pid) / "fd";
                                 CHECK(fs::read_symlink(fds / "0") == "/dev/null");
                                 CHECK(fs::read_symlink(fds / "1").filename() == "rank-0000.out");
                                 CHECK(fs::read_symlink(fds / "2").filename() == "rank-0000.out");
                                 CHECK_FALSE(fs::is_socket(fs::status(fds / "3")));
                             });
    CHECK(seen > 0);
    CHECK(ran.end.exit_code == kExitInterrupted);
    CHECK(servers().empty());  // it went with its runner
}

TEST_CASE("a server that is killed is replaced, and the stage runs") {
    Scratch scratch;
    long pid = 0;
    Ran ran = look_at_second(
        [&](LocalRunner& runner) {
            REQUIRE(run_with(runner, toy_job(scratch, "toy.noop")).end.exit_code == 0);
            std::vector<long> all = servers();
            REQUIRE(all.size() == 1);
            ::kill(static_cast<pid_t>(all[0]), SIGKILL);
        },
        [&](long seen) { pid = seen; });
    CHECK(pid > 0);
    CHECK(ran.end.exit_code == kExitInterrupted);
}

TEST_CASE("a worker whose output cannot be made does not start, forked or not") {
    Scratch scratch;
    ForkServer server(stillroom_program());
    for (int i = 0; i < 3; ++i)
        CHECK_THROWS_AS(server.start({stillroom_program().native(), "worker"},
                                     scratch.path() / "absent" / "out"),
                        Error);
}

}  // namespace
}  // namespace stillroom::test
