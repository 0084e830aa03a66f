#include "engine/run/worker.h"

#include "engine/base/error.h"
#include "engine/base/host.h"
#include "tests/engine/run/toy_fixture.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <thread>

using namespace stillroom;
using namespace stillroom::test;
namespace fs = std::filesystem;

namespace {

// Seconds. No assertion of speed: what is waited for would otherwise take longer than this, or for
// ever.
constexpr double kSoon = 60;

std::string text_of(const fs::path& file) {
    return read_file(file, 1 << 20);
}

StageEnd fail(const std::string& settings, std::vector<std::string> inject = {}) {
    Scratch scratch;
    Job job = toy_job(scratch, "toy.fail", settings);
    job.inject = std::move(inject);
    return run(job).end;
}

/// How a run of toy.count ends into which a fault is injected.
StageEnd count_with(const std::string& fault, double timeout = 600) {
    Scratch scratch;
    Job job = toy_job(scratch, "toy.count", R"({"steps": 3})");
    job.inject = {fault};
    job.timeout = timeout;
    return run(job).end;
}

/// As proc(5) has it, 'T' for one that is stopped; 'Z' where there is none.
char state_of(long pid) {
    std::ifstream status("/proc/" + std::to_string(pid) + "/stat");
    std::string text;
    std::getline(status, text);
    std::size_t name_end = text.rfind(") ");
    return name_end == std::string::npos ? 'Z' : text[name_end + 2];
}

/// A zombie that nobody reaps is dead enough.
bool is_alive(long pid) {
    return state_of(pid) != 'Z';
}

/// Orphans come to this process, as in a container whose first process is not the system's: the
/// kernel then wakes none of those that are stopped.
class Orphanage {
public:
    Orphanage() { ::prctl(PR_SET_CHILD_SUBREAPER, 1); }
    ~Orphanage() {
        while (::waitpid(-1, nullptr, WNOHANG) > 0)
            continue;
        ::prctl(PR_SET_CHILD_SUBREAPER, 0);
    }
};

}  // namespace

TEST_CASE("a stage runs in a worker, which says what happened and leaves its output") {
    Scratch scratch;
    Ran ran = run(toy_job(scratch, "toy.write", R"({"text": "hello"})"));
    CHECK(ran.end.exit_code == 0);
    CHECK(text_of(scratch.path() / "report/text.txt") == "hello");
    const Record* start = ran.find("start");
    REQUIRE(start);
    CHECK(start->host == host_name());
    CHECK(start->world == 1);
    const Record* plugin = ran.find("plugin");
    REQUIRE(plugin);
    CHECK(plugin->name == "toy");
    CHECK(!plugin->file.digest.empty());
    REQUIRE(ran.find("result"));
    CHECK(ran.records.back().second.event == "result");
    CHECK(ran.records.back().second.ok);
}

TEST_CASE("workers start and end one after the other; how long one takes is printed") {
    Scratch scratch;
    Job job = toy_job(scratch, "toy.noop");
    LocalRunner runner(stillroom_program());
    std::vector<double> times;
    for (int i = 0; i < 20; ++i) {
        auto start = std::chrono::steady_clock::now();
        auto stage = runner.start(job);
        std::optional<StageEnd> end;
        while (!(stage->records(), end = stage->ended()))
            runner.wait(std::chrono::milliseconds(100), -1);
        CHECK(end->exit_code == 0);
        times.push_back(
            std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
                .count());
    }
    std::sort(times.begin(), times.end());
    std::printf("a worker takes %.1f ms (median of %zu, least %.1f)\n",
                times[times.size() / 2],
                times.size(),
                times.front());
}

TEST_CASE("each way to fail has its exit code and its reason") {
    StageEnd end = fail(R"({"how": "error", "code": 3, "message": "bad tensor"})");
    CHECK(end.exit_code == 3);
    CHECK(end.message == "bad tensor");
    CHECK(end.key == "how");
    CHECK(end.hint == "it was asked to");
    CHECK(end.log.filename() == "rank-0000.log");
    end = fail(R"({"how": "refuse", "message": "cannot be"})");
    CHECK(end.exit_code == 2);
    CHECK(end.key == "how");
    CHECK(fail(R"({"how": "nan"})").exit_code == 6);
    end = fail(R"({"how": "alloc"})");
    CHECK(end.exit_code == 4);
    CHECK(end.message == "out of memory");
    CHECK(fail(R"({"how": "throw"})").exit_code == 70);
    end = fail(R"({"how": "exit", "code": 3})");
    CHECK(end.exit_code == 70);
    CHECK(end.message == "stage 'student' ended without a result, with status 3");
    CHECK(fail(R"({"how": "exit", "code": 0})").exit_code == 70);
    end = fail(R"({"how": "segv"})");
    CHECK(end.exit_code == 70);
    CHECK(end.message == "stage 'student' crashed with SIGSEGV");
    CHECK(fail(R"({"how": "abort"})").exit_code == 70);
    CHECK(fail(R"({"how": "kill"})").exit_code == 7);
    CHECK(fail(R"({"how": "gate"})").exit_code == 0);  // what it made is complete
}

TEST_CASE("injected faults end a stage as the real ones do") {
    CHECK(count_with("2:exception").exit_code == 70);
    CHECK(count_with("2:abort").exit_code == 70);
    CHECK(count_with("0:segv").exit_code == 70);
    CHECK(count_with("2:sigkill").exit_code == 7);
    CHECK(count_with("1:exit").exit_code == 70);
    StageEnd end = count_with("3:enospc");
    CHECK(end.exit_code == 4);
    CHECK(end.message.find("No space left on device") != std::string::npos);
    CHECK(count_with("9:abort").exit_code == 0);    // never reached
    CHECK(count_with("1:abort:1").exit_code == 0);  // another rank's
    CHECK(count_with("1:slow-io").exit_code == 0);
    end = count_with("1:melt");
    CHECK(end.exit_code == 2);
    CHECK(end.message == "'1:melt' is no fault to inject");
}

TEST_CASE("a worker that falls silent is given up after the timeout") {
    for (const char* fault : {"2:sigstop", "2:drop-rank"}) {
        StageEnd end = count_with(fault, 1.5);
        CHECK(end.exit_code == 7);
        CHECK(end.message == "stage 'student' gave no sign of life for 1.5 s");
    }
}

TEST_CASE("what a crashed worker printed last is told") {
    Scratch scratch;
    Job job = toy_job(scratch, "toy.fail", R"({"how": "abort"})");
    std::ofstream(job.records / "rank-0000.out") << "an earlier try's words\n";
    Ran ran = run(job);
    for (const std::string& note : ran.end.notes)
        CHECK(note.find("earlier") == std::string::npos);
    CHECK(fs::exists(job.records / "rank-0000.out"));
}

TEST_CASE("an unknown stage and an unreadable job are refused") {
    Scratch scratch;
    StageEnd end = run(toy_job(scratch, "toy.nothing")).end;
    CHECK(end.exit_code == 10);
    CHECK(end.message.find("toy.nothing") != std::string::npos);
    Job job = toy_job(scratch, "toy.noop");
    job.work = scratch.path() / "work";
    std::ofstream(job.work / "decided.json") << "{";
    CHECK(run(job).end.exit_code == 9);
}

TEST_CASE("records that cannot be written are a full disk, not a crash") {
    Scratch scratch;
    Job job = toy_job(scratch, "toy.noop");
    fs::create_directory(job.records / "rank-0000.log");
    StageEnd end = run(job).end;
    CHECK(end.exit_code == 4);
    CHECK(end.message.find("rank-0000.log") != std::string::npos);
}

TEST_CASE("a stage that is told to stop stops at a safe point") {
    Scratch scratch;
    Job job = toy_job(scratch, "toy.count", R"({"steps": 9000, "step_seconds": 0.01})");
    bool asked = false;
    Ran ran = run(job, [&](StageRun& stage, const Ran& so_far) {
        if (!asked && so_far.find("saved"))
            stage.stop();
        asked = asked || so_far.find("saved");
    });
    CHECK(ran.end.exit_code == 75);
    CHECK(ran.seconds < kSoon);

    // The same through the file, and with nothing saved; then it goes on from its work.
    job.settings = json(R"({"steps": 1000, "step_seconds": 0.01, "save_every": 0})");
    ran = run(job, [&](StageRun&, const Ran& so_far) {
        if (so_far.find("metric"))
            std::ofstream(job.cancel) << "";
    });
    CHECK(ran.end.exit_code == 130);
    fs::remove(job.cancel);
    job.settings = json(R"({"steps": 60, "save_every": 1})");
    ran = run(job);
    CHECK(ran.end.exit_code == 0);
    REQUIRE(!ran.logs().empty());
    CHECK(ran.logs()[0].starts_with("going on after step "));
}

TEST_CASE("a stage that is killed at once ends at once, with what it started") {
    Scratch scratch;
    Ran ran = run(toy_job(scratch, "toy.fail", R"({"how": "hang"})"),
                  [](StageRun& stage, const Ran& so_far) {
                      if (so_far.find("log"))
                          stage.kill();
                  });
    CHECK(ran.end.exit_code == 130);
    CHECK(ran.seconds < kSoon);
}

TEST_CASE("progress comes at most ten times a second, and metrics all come") {
    Scratch scratch;
    Ran ran = run(toy_job(scratch, "toy.count", R"({"steps": 500, "save_every": 0})"));
    std::size_t progress = 0, metrics = 0;
    double done = 0;
    for (const auto& [rank, record] : ran.records) {
        metrics += record.event == "metric";
        if (record.event == "progress") {
            ++progress;
            done = record.value;
        }
    }
    CHECK(metrics == 500);
    CHECK(progress <= 2 + static_cast<std::size_t>(ran.seconds * 10));
    CHECK(done == 1);
}

TEST_CASE("work begun on another class of machine is not gone on with") {
    Scratch scratch;
    Job job = toy_job(scratch, "toy.count", R"({"steps": 2})");
    CHECK(run(job).end.exit_code == 0);
    std::string decided = text_of(job.work / "decided.json");
    CHECK(decided.find('"' + machine_class() + '"') != std::string::npos);
    job.threads = 3;
    Ran ran = run(job);
    CHECK(ran.end.exit_code == 0);
    CHECK(ran.logs()[0].find("begun with 1 threads a rank and goes on with 3") !=
          std::string::npos);
    decided.replace(decided.find(machine_class()), machine_class().size(), "x86-64-v9");
    std::ofstream(job.work / "decided.json") << decided;
    StageEnd end = run(job).end;
    CHECK(end.exit_code == 9);
    CHECK(end.message.find("x86-64-v9") != std::string::npos);
}

TEST_CASE("the environment of a stage reaches it, and its thread count wins") {
    Scratch scratch;
    Job job = toy_job(scratch, "toy.env", R"({"names": ["TOY_GREETING", "OMP_NUM_THREADS"]})");
    job.environment = {{"TOY_GREETING", "a=b"}, {"OMP_NUM_THREADS", "99"}};
    job.threads = 3;
    CHECK(run(job).end.exit_code == 0);
    std::string text = text_of(scratch.path() / "report/text.txt");
    CHECK(text.find("a=b") != std::string::npos);
    CHECK(text.find("OMP_NUM_THREADS=3") != std::string::npos);
    job.environment = {{"LD_PRELOAD", "/tmp/x.so"}};
    CHECK(run(job).end.exit_code == 10);
}

TEST_CASE("a second try goes on in the same file, behind a torn line") {
    Scratch scratch;
    Job job = toy_job(scratch, "toy.fail", R"({"how": "error", "until_try": 2})");
    CHECK(run(job).end.exit_code == 1);
    std::ofstream(job.records / "rank-0000.log", std::ios::app) << R"({"ts":"2026","ev)";
    Ran second = run(job);
    CHECK(second.end.exit_code == 0);
    CHECK(second.logs() == std::vector<std::string>{"try 2"});
    RecordFollower all(job.records / "rank-0000.log");
    std::vector<Record> records = all.poll();
    CHECK(std::count_if(records.begin(), records.end(), [](const Record& record) {
              return record.event == "result";
          }) == 2);
    CHECK(all.skipped() == 1);
}

TEST_CASE("ranks meet, and each has a file of its own") {
    Scratch scratch;
    Job job = toy_job(scratch, "toy.ranks", R"({"seconds": 60})");
    job.ranks = 3;
    Ran ran = run(job);
    CHECK(ran.end.exit_code == 0);
    CHECK(text_of(scratch.path() / "report/text.txt") == "rank 0 of 3\nrank 1 of 3\nrank 2 of 3\n");
    for (int rank = 0; rank < 3; ++rank) {
        REQUIRE(ran.find("start", rank));
        CHECK(ran.find("start", rank)->rank == rank);
        CHECK(fs::exists(job.records / record_file(rank)));
    }
    CHECK(ran.logs(1)[0].find("launcher: flags, rank 1 of 3") == 0);
}

TEST_CASE("when one rank fails the others end soon, and its failure is the stage's") {
    for (auto [how, code] : {std::pair{"error", 3}, {"segv", 70}, {"kill", 7}, {"exit", 70}}) {
        Scratch scratch;
        Job job = toy_job(
            scratch,
            "toy.fail",
            std::string(R"({"seconds": 0.2, "rank": 1, "code": 3, "how": ")") + how + R"("})");
        job.ranks = 3;
        Ran ran = run(job);
        CHECK(ran.end.exit_code == code);
        CHECK(ran.end.rank == 1);
        CHECK(ran.end.log.filename() == "rank-0001.log");
        CHECK(ran.seconds < kSoon);
    }
    // The others wait for what never comes.
    Scratch scratch;
    Job job = toy_job(scratch, "toy.ranks", R"({"seconds": 80})");
    job.ranks = 2;
    job.inject = {"0:sigkill:1"};
    Ran ran = run(job);
    CHECK(ran.end.exit_code == 7);
    CHECK(ran.end.rank == 1);
    CHECK(ran.end.message == "rank 1 of stage 'student' was killed with SIGKILL");
    CHECK(ran.seconds < kSoon);
}

TEST_CASE("a silent rank is named, and the others are not waited for") {
    Scratch scratch;
    Job job = toy_job(scratch, "toy.ranks", R"({"seconds": 80})");
    job.ranks = 2;
    job.timeout = 4;  // in which rank 0, of ten beats a second, surely has its turn
    job.inject = {"0:sigstop:1"};
    Ran ran = run(job);
    CHECK(ran.end.exit_code == 7);
    CHECK(ran.end.rank == 1);
    CHECK(ran.seconds < kSoon);
}

TEST_CASE("a rank that does not heed is killed after some mercy") {
    Scratch scratch;
    Job job = toy_job(scratch, "toy.fail", R"({"how": "error", "code": 4, "rank": 1})");
    job.ranks = 2;
    job.inject = {"0:hang:0"};
    Ran ran = run(job);
    CHECK(ran.end.exit_code == 4);
    CHECK(ran.end.rank == 1);
    CHECK(ran.seconds < kSoon);
}

TEST_CASE("when the engine is killed its workers die with it, at work or stopped") {
    Orphanage orphanage;
    for (const char* settings : {R"({"seconds": 60})", R"({"how": "silent"})"}) {
        Scratch scratch;
        bool sleeps = std::string(settings).find("seconds") != std::string::npos;
        Job job = toy_job(scratch, sleeps ? "toy.sleep" : "toy.fail", settings);
        job.ranks = 2;
        pid_t engine = ::fork();
        REQUIRE(engine >= 0);
        if (engine == 0) {
            LocalRunner runner(stillroom_program());
            if (environment("STILLROOM_TEST_FORKED") == "1")
                warm(runner);
            auto stage = runner.start(job);
            for (;;)
                runner.wait(std::chrono::seconds(1), -1);
        }
        std::vector<long> workers;
        for (int rank = 0; rank < 2; ++rank) {
            RecordFollower records(job.records / record_file(rank));
            std::vector<Record> seen;
            REQUIRE(eventually([&] {
                for (Record& record : records.poll())
                    seen.push_back(std::move(record));
                return seen.size() >= 3;
            }));
            workers.push_back(seen[0].pid);
            CHECK(is_alive(workers.back()));
            if (!sleeps)
                CHECK(eventually([&] { return state_of(workers.back()) == 'T'; }));
        }
        ::kill(engine, SIGKILL);
        int status = 0;
        ::waitpid(engine, &status, 0);
        for (long worker : workers)
            CHECK(eventually([&] { return !is_alive(worker); }, 10));
    }
}

TEST_CASE("a worker whose engine no longer writes its sign of life ends") {
    Scratch scratch;
    Job job = toy_job(scratch, "toy.sleep", R"({"seconds": 60})");
    job.alive = scratch.path() / "alive";
    job.beat = 0.25;  // the worker gives it ten of them, in which we surely have our turn
    std::ofstream(job.alive) << "1\n";
    auto beats = [](const Ran& ran) {
        return std::count_if(ran.records.begin(), ran.records.end(), [](const auto& record) {
            return record.second.event == "beat";
        });
    };
    int signs = 1;
    Ran ran = run(job, [&](StageRun&, const Ran& so_far) {
        if (beats(so_far) < 12)
            std::ofstream(job.alive) << ++signs << '\n';
    });
    CHECK(beats(ran) > 20);  // it lived while they came
    CHECK(ran.end.exit_code == 7);
    CHECK(ran.end.message.find("the engine is gone") == 0);
    CHECK(ran.seconds < kSoon);
}

TEST_CASE("a worker of a parent that is gone does not begin") {
    Scratch scratch;
    Job job = toy_job(scratch, "toy.noop");
    fs::path file = write_job(job);
    std::vector<std::string> words = worker_words(stillroom_program(), file);
    words.insert(words.end(), {"--rank", "0", "--world", "1", "--parent", "1"});
    Child child(words, scratch.path() / "out");
    REQUIRE(eventually([&] { return child.poll().has_value(); }));
    CHECK(child.ended()->status == 7);
    CHECK(last_lines(scratch.path() / "out", 0)[0] ==
          "error: process 1, which started this worker, is gone");
}

TEST_CASE("a worker refuses a world of another size than its job's") {
    Scratch scratch;
    Job job = toy_job(scratch, "toy.noop");
    std::vector<std::string> words = worker_words(stillroom_program(), write_job(job));
    words.insert(words.end(), {"--rank", "0", "--world", "4", "--store", "127.0.0.1:1"});
    Child child(words, scratch.path() / "out");
    REQUIRE(eventually([&] { return child.poll().has_value(); }));
    CHECK(child.ended()->status == 7);
    CHECK(!fs::exists(job.records / "rank-0000.log"));
}

TEST_CASE("a worker whose output file is full fails, and says so") {
    Scratch scratch;
    Job job = toy_job(scratch, "toy.noop");
    fs::create_symlink("/dev/full", job.records / "rank-0000.log");
    CHECK(run(job).end.exit_code == 4);
}
