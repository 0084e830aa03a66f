#include "tests/engine/run/toy_fixture.h"

#include "engine/document/document.h"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <stdexcept>
#include <thread>

namespace stillroom::test {
namespace fs = std::filesystem;
namespace {

constexpr double kNeverSoLong = 90;

double since(std::chrono::steady_clock::time_point start) {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

}  // namespace

NodePtr json(const std::string& text) {
    Sources sources;
    Diagnostics diagnostics;
    NodePtr root = read_json(sources.add("settings.json", text), {}, diagnostics).root;
    REQUIRE(root);
    return root;
}

fs::path stillroom_program() {
    // Without it this program would be started as its own worker, and run all tests again.
    std::string program = environment("STILLROOM_PROGRAM");
    if (program.empty())
        throw std::runtime_error("STILLROOM_PROGRAM is not set");
    return program;
}
fs::path toy_module() {
    return environment("STILLROOM_TEST_TOY");
}

Job toy_job(const Scratch& scratch, const std::string& use, const std::string& settings) {
    Job job;
    job.run = "test";
    job.stage = "student";
    job.use = use;
    job.settings = json(settings);
    job.outputs["report"] = scratch.path() / "report";
    job.work = scratch.path() / "work";
    job.records = scratch.path() / "records";
    job.cancel = scratch.path() / "cancel";
    job.plugins = {toy_module()};
    job.beat = 0.1;
    for (const fs::path& folder : {job.outputs["report"], job.work, job.records})
        fs::create_directories(folder);
    return job;
}

std::vector<std::string> Ran::logs(int rank) const {
    std::vector<std::string> out;
    for (const auto& [from, record] : records)
        if (from == rank && record.event == "log")
            out.push_back(record.text);
    return out;
}

const Record* Ran::find(std::string_view event, int rank) const {
    for (const auto& [from, record] : records)
        if (from == rank && record.event == event)
            return &record;
    return nullptr;
}

Ran run(const Job& job, const std::function<void(StageRun&, const Ran&)>& during) {
    LocalRunner runner(stillroom_program());
    if (environment("STILLROOM_TEST_FORKED") == "1")
        warm(runner);
    if (environment("STILLROOM_TEST_SHARED") != "1")
        return run_with(runner, job, during);
    warm_shared(runner, job.threads);
    Job shared = job;
    shared.shares_process = true;
    return run_with(runner, shared, during);
}

void warm_shared(Runner& runner, int threads) {
    Scratch scratch;
    Job job = toy_job(scratch, "toy.noop");
    job.shares_process = true;
    job.threads = threads;
    REQUIRE(run_with(runner, job).end.exit_code == 0);
}

void warm(Runner& runner) {
    Scratch scratch;
    REQUIRE(run_with(runner, toy_job(scratch, "toy.noop")).end.exit_code == 0);
}

Ran run_with(Runner& runner,
             const Job& job,
             const std::function<void(StageRun&, const Ran&)>& during) {
    Ran ran;
    auto start = std::chrono::steady_clock::now();
    std::unique_ptr<StageRun> stage = runner.start(job);
    for (;;) {
        for (auto& record : stage->records())
            ran.records.push_back(std::move(record));
        if (std::optional<StageEnd> end = stage->ended()) {
            ran.end = *end;
            break;
        }
        if (during)
            during(*stage, ran);
        REQUIRE(since(start) < kNeverSoLong);
        runner.wait(std::chrono::milliseconds(20), -1);
    }
    ran.seconds = since(start);
    return ran;
}

bool eventually(const std::function<bool()>& condition, double seconds) {
    auto start = std::chrono::steady_clock::now();
    while (since(start) < seconds) {
        if (condition())
            return true;
        std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
    return condition();
}

}  // namespace stillroom::test
