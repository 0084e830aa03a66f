#include "engine/run/execute.h"

#include "engine/base/error.h"
#include "engine/schema/catalog.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <csignal>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

using namespace stillroom;

namespace {

/// What happens, as a line of words.
class Log final : public Observer {
public:
    void cached(const StageRef& stage, const PlannedStage&) override { add("cached", stage); }
    void waits(const StageRef& stage, const std::string&) override { add("waits", stage); }
    void begins(const StageRef& stage, const PlannedStage&, const Job&) override {
        add("begins", stage);
    }
    void ended(const StageRef& stage, const PlannedStage&, const Made&) override {
        add("ended", stage);
    }
    void failed(const StageRef& stage, const StageEnd& end, bool again) override {
        add(fmt::format("{}{}", again ? "again" : "failed", end.exit_code), stage);
    }
    void skipped(const StageRef& stage, const std::string&) override { add("skipped", stage); }
    void stopping(int, bool at_once) override { text += at_once ? "kill " : "stop "; }

    std::string text;

private:
    void add(const std::string& what, const StageRef& stage) {
        text += fmt::format("{}:{} ", what, stage.name);
    }
};

/// A disk in memory: what is in the store, what must be read first, who else holds a key.
class FakeDesk final : public Desk {
public:
    PlannedStage look(const PlannedJob& job, const StageRef& stage) override {
        const std::string& name = job.plan.graph.stages[stage.stage].name;
        std::lock_guard lock(mutex);
        PlannedStage planned;
        planned.key = "key of " + name;
        if (refuses.contains(name))
            throw Error({}, "cannot be planned").exit_code(kExitBadInput);
        if (stored.contains(planned.key)) {
            planned.state = StageState::cached;
            return planned;
        }
        if (unread.contains(name))
            planned.unread = {name};
        planned.state = StageState::run;
        return planned;
    }
    void read_sources(const std::vector<std::filesystem::path>& paths) override {
        std::lock_guard lock(mutex);
        for (const auto& path : paths)
            unread.erase(path.string());
    }
    std::optional<Job> begin(const PlannedJob&,
                             const StageRef& stage,
                             const PlannedStage& planned,
                             int,
                             std::string& holder) override {
        std::lock_guard lock(mutex);
        auto held = held_for.find(planned.key);
        if (held != held_for.end() && held->second-- > 0) {
            holder = "somebody";
            if (held->second == 0 && appears)
                stored.insert(planned.key);
            return std::nullopt;
        }
        Job job;
        job.stage = stage.name;
        return job;
    }
    Made finish(const PlannedJob&,
                const StageRef& stage,
                const PlannedStage& planned,
                const Heard& heard) override {
        std::lock_guard lock(mutex);
        if (changed_inputs.contains(stage.name))
            throw Error({}, "changed while it was read").exit_code(kExitIntegrity);
        stored.insert(planned.key);
        Made made;
        made.key = planned.key;
        made.gate = heard.gate;
        return made;
    }
    void leave(const StageRef& stage, bool keep_work) override {
        left += stage.name + (keep_work ? " kept " : " dropped ");
    }

    std::mutex mutex;
    std::set<std::string> stored, unread, refuses, changed_inputs;
    std::map<std::string, int> held_for;
    bool appears = false;
    std::string left;
};

/// Processes that end when the test's script says: by tries, each an exit code; 0 is well.
class FakeRunner final : public Runner {
public:
    struct Script {
        std::vector<int> exits;
        bool waits_for_stop = false;
        bool deaf = false;  ///< ends only when killed
        std::vector<Record> says;
    };

    class Stage final : public StageRun {
    public:
        Stage(FakeRunner& runner, std::string name) : runner_(runner), name_(std::move(name)) {
            ++runner_.running;
            runner_.most = std::max(runner_.most, runner_.running);
        }
        ~Stage() override { --runner_.running; }
        std::vector<std::pair<int, Record>> records() override {
            std::vector<std::pair<int, Record>> all;
            for (Record& record : runner_.scripts[name_].says)
                all.emplace_back(0, record);
            runner_.scripts[name_].says.clear();
            return all;
        }
        std::optional<StageEnd> ended() override {
            Script& script = runner_.scripts[name_];
            StageEnd end;
            if (killed_) {
                end.exit_code = 143;
                return end;
            }
            if (stopped_ && !script.deaf) {
                end.exit_code = kExitStopped;
                return end;
            }
            if (script.waits_for_stop || script.deaf)
                return std::nullopt;
            std::size_t attempt = runner_.tries[name_]++;
            if (attempt < script.exits.size())
                end.exit_code = script.exits[attempt];
            return end;
        }
        void stop() override { stopped_ = true; }
        void kill() override { killed_ = true; }

    private:
        FakeRunner& runner_;
        std::string name_;
        bool stopped_ = false;
        bool killed_ = false;
    };

    std::unique_ptr<StageRun> start(const Job& job) override {
        return std::make_unique<Stage>(*this, job.stage);
    }
    void wait(std::chrono::milliseconds most_time, int) override { now += most_time; }

    std::map<std::string, Script> scripts;
    std::map<std::string, std::size_t> tries;
    Moment now{};
    int running = 0;
    int most = 0;
};

/// A run of stages a, b, c ... that follow each other as `after` says: {"b", "a"} is b after a.
struct Bench {
    StageType type;
    std::vector<PlannedJob> jobs;
    FakeDesk desk;
    FakeRunner runner;
    Log log;
    ExecuteOptions options;
    Asked signals;

    explicit Bench(const std::string& names,
                   const std::vector<std::pair<std::string, std::string>>& after,
                   int retries = 0) {
        type.resources = "io";
        options.capacity.cores = 1;
        options.now = [this] { return runner.now; };
        options.asked = [this] { return signals; };
        PlannedJob job;
        auto index = [&](const std::string& name) { return names.find(name[0]); };
        for (char name : names) {
            CheckedStage stage;
            stage.name = std::string(1, name);
            stage.type = &type;
            auto engine = make_map();
            engine->entries.push_back(
                {"retry", {}, make_string(std::to_string(retries)), false, {}});
            stage.engine = engine;
            job.plan.graph.stages.push_back(std::move(stage));
            job.plan.stages.emplace_back();
        }
        for (const auto& [to, from] : after)
            job.plan.graph.edges.push_back({index(from), index(to), "", "", ""});
        jobs.push_back(std::move(job));
    }

    Outcome run() {
        std::vector<std::set<std::size_t>> chosen;
        for (const PlannedJob& job : jobs) {
            std::set<std::size_t> all;
            for (std::size_t i = 0; i < job.plan.stages.size(); ++i)
                all.insert(i);
            chosen.push_back(all);
        }
        return execute(jobs, chosen, desk, runner, log, options);
    }
};

}  // namespace

TEST_CASE("stages run in the order of what they need") {
    Bench bench("abc", {{"a", "c"}, {"b", "a"}});
    CHECK(bench.run().exit_code == 0);
    CHECK(bench.log.text == "begins:c ended:c begins:a ended:a begins:b ended:b ");
}

TEST_CASE("what is in the store is not run, and what follows sees it") {
    Bench bench("ab", {{"b", "a"}});
    bench.desk.stored = {"key of a"};
    Outcome outcome = bench.run();
    CHECK(bench.log.text == "cached:a begins:b ended:b ");
    CHECK(outcome.stages[0].state == "cached");
    CHECK(outcome.stages[1].state == "run");
}

TEST_CASE("no more run at once than there are cores") {
    Bench bench("abcdef", {});
    bench.options.capacity.cores = 3;
    bench.run();
    CHECK(bench.runner.most <= 3);
    CHECK(bench.runner.running == 0);
}

TEST_CASE("a large source is read beside, then looked at again") {
    Bench bench("a", {});
    bench.desk.unread = {"a"};
    CHECK(bench.run().exit_code == 0);
    CHECK(bench.log.text == "begins:a ended:a ");
}

TEST_CASE("the earliest failure decides, its followers are skipped") {
    Bench bench("abcd", {{"b", "a"}, {"d", "c"}});
    bench.runner.scripts["a"].exits = {3};
    bench.runner.scripts["c"].exits = {6};
    SUBCASE("keep going") {
        bench.options.keep_going = true;
        CHECK(bench.run().exit_code == 3);
        CHECK(bench.log.text == "begins:a failed3:a begins:c failed6:c skipped:b skipped:d ");
    }
    SUBCASE("stop") {
        CHECK(bench.run().exit_code == 3);
        CHECK(bench.log.text == "begins:a failed3:a skipped:b skipped:c skipped:d ");
    }
    CHECK(bench.desk.left.starts_with("a kept "));
}

TEST_CASE("a failure is tried again after a while, a refusal never") {
    Bench bench("a", {}, 2);
    SUBCASE("recovers") {
        bench.runner.scripts["a"].exits = {1, 7, 0};
        CHECK(bench.run().exit_code == 0);
        CHECK(bench.log.text == "begins:a again1:a begins:a again7:a begins:a ended:a ");
        CHECK(bench.runner.now - Moment{} >= std::chrono::seconds(3));
    }
    SUBCASE("does not") {
        bench.runner.scripts["a"].exits = {1, 1, 4};
        CHECK(bench.run().exit_code == 4);
    }
    SUBCASE("refusal") {
        bench.runner.scripts["a"].exits = {2};
        CHECK(bench.run().exit_code == 2);
        CHECK(bench.log.text == "begins:a failed2:a ");
    }
}

TEST_CASE("work that somebody else does is waited for") {
    Bench bench("ab", {});
    bench.desk.held_for["key of a"] = 3;
    // What b made is put away by another thread, in which time a may come.
    auto without_end_of_b = [&] {
        CHECK(bench.run().exit_code == 0);
        std::size_t end = bench.log.text.find("ended:b ");
        REQUIRE(end != std::string::npos);
        return bench.log.text.erase(end, 8);
    };
    SUBCASE("and taken over") {
        CHECK(without_end_of_b() == "waits:a begins:b begins:a ended:a ");
    }
    SUBCASE("and used") {
        bench.desk.appears = true;
        CHECK(without_end_of_b() == "waits:a begins:b cached:a ");
    }
}

TEST_CASE("an input that changed meanwhile poisons nothing") {
    Bench bench("ab", {{"b", "a"}});
    bench.desk.changed_inputs = {"a"};
    Outcome outcome = bench.run();
    CHECK(outcome.exit_code == kExitIntegrity);
    CHECK(bench.desk.stored.empty());
    CHECK(bench.desk.left == "a dropped ");
}

TEST_CASE("a stage that cannot be planned fails alone") {
    Bench bench("ab", {});
    bench.desk.refuses = {"a"};
    bench.options.keep_going = true;
    CHECK(bench.run().exit_code == kExitBadInput);
    CHECK(bench.log.text == "failed3:a begins:b ended:b ");
}

TEST_CASE("a gate keeps what was made and fails") {
    Bench bench("ab", {{"b", "a"}});
    Record gate;
    gate.event = "gate";
    gate.text = "0.5 is below 0.6";
    bench.runner.scripts["a"].says = {gate};
    Outcome outcome = bench.run();
    CHECK(outcome.exit_code == kExitGate);
    CHECK(outcome.stages[0].end.message == "0.5 is below 0.6");
    CHECK(bench.desk.stored.contains("key of a"));
    CHECK(bench.log.text == "begins:a ended:a failed8:a skipped:b ");
}

TEST_CASE("one signal stops at a safe point, with 75") {
    Bench bench("ab", {{"b", "a"}});
    bench.runner.scripts["a"].waits_for_stop = true;
    bench.options.asked = [&]() -> Asked {
        if (bench.runner.now - Moment{} > std::chrono::seconds(1))
            return {1, 0, SIGUSR1};
        return {};
    };
    Outcome outcome = bench.run();
    CHECK(outcome.exit_code == kExitStopped);
    CHECK(outcome.signal == SIGUSR1);
    CHECK(outcome.stages[0].state == "stopped");
    CHECK(bench.log.text == "begins:a stop failed75:a skipped:b ");
    CHECK(bench.desk.left == "a kept ");
}

TEST_CASE("a second signal, or the end of the grace, kills") {
    Bench bench("a", {});
    bench.runner.scripts["a"].deaf = true;
    auto after = [&](int seconds) {
        return bench.runner.now - Moment{} > std::chrono::seconds(seconds);
    };
    SUBCASE("SIGINT twice") {
        bench.options.asked = [&]() -> Asked {
            if (after(2))
                return {2, 2, SIGINT};
            return after(1) ? Asked{1, 1, SIGINT} : Asked{};
        };
        CHECK(bench.run().exit_code == kExitInterrupted);
        CHECK(bench.runner.now - Moment{} < std::chrono::seconds(4));
    }
    SUBCASE("SIGTERM and 25 seconds") {
        bench.options.asked = [&]() -> Asked { return after(1) ? Asked{1, 1, SIGTERM} : Asked{}; };
        CHECK(bench.run().exit_code == kExitTerminated);
        CHECK(bench.runner.now - Moment{} > std::chrono::seconds(25));
    }
    CHECK(bench.log.text.find("stop kill") != std::string::npos);
}

TEST_CASE("a signal while the last stage is published changes nothing") {
    Bench bench("a", {});
    bench.options.asked = [&]() -> Asked {
        return bench.runner.tries["a"] > 0 ? Asked{1, 1, SIGINT} : Asked{};
    };
    CHECK(bench.run().exit_code == 0);
}

TEST_CASE("a failed job of a sweep ends nothing of the others") {
    Bench bench("ab", {{"b", "a"}});
    bench.jobs.push_back(bench.jobs.front());
    bench.jobs[0].id = "one";
    bench.jobs[1].id = "two";
    bench.runner.scripts["one/a"].exits = {1};
    bench.options.keep_going = true;
    CHECK(bench.run().exit_code == 1);
    CHECK(bench.log.text ==
          "begins:one/a failed1:one/a begins:two/a ended:two/a begins:two/b ended:two/b "
          "skipped:one/b ");
}
