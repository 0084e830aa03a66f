#include "engine/plan/plan.h"

#include "tests/engine/plan/kitchen.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <functional>

using namespace stillroom;
namespace fs = std::filesystem;

namespace {

/// A recipe that is planned and cooked: what has to run is published as a stage would, its output a
/// text that tells of its key, or the same text always.
struct Stove {
    Kitchen kitchen;
    PlanOptions options;

    Store store() const { return Store(kitchen.folder().path() / "store"); }

    struct Served {
        std::unique_ptr<Dish> dish;
        Plan plan;

        const PlannedStage& stage(std::string_view name) const {
            for (std::size_t i = 0; i < plan.stages.size(); ++i)
                if (plan.graph.stages[i].name == name)
                    return plan.stages[i];
            FAIL("no stage " << name);
            return plan.stages.front();
        }
        std::string states() const {
            std::string out;
            for (const PlannedStage& stage : plan.stages)
                out += stage.state == StageState::run      ? 'R'
                       : stage.state == StageState::cached ? 'C'
                                                           : 'B';
            return out;
        }
        int line_of_cause(std::string_view name) const {
            return dish->sources.position(stage(name).cause.begin).line;
        }
    };

    Served plan() const {
        Served served;
        served.dish = kitchen.prepare();
        served.plan = make_plan(served.dish->graph, store(), options, served.dish->diagnostics);
        return served;
    }

    /// Runs what has to run; as many stages as have run.
    int cook() const {
        Served served = plan();
        Plan& plan = served.plan;
        PlanOptions unlimited = options;
        unlimited.hash_at_most = UINT64_MAX;
        int ran = 0;
        for (std::size_t i = 0; i < plan.stages.size(); ++i) {
            plan.stages[i] = plan_stage(plan, i, store(), unlimited, served.dish->diagnostics);
            if (plan.stages[i].state == StageState::cached)
                continue;
            REQUIRE(plan.stages[i].state == StageState::run);
            run(plan.graph.stages[i], plan.stages[i]);
            ++ran;
            plan.stages[i] = plan_stage(plan, i, store(), unlimited, served.dish->diagnostics);
            REQUIRE(plan.stages[i].state == StageState::cached);
        }
        return ran;
    }

    void run(const CheckedStage& stage, const PlannedStage& planned) const {
        Store store = this->store();
        Owner holder;
        std::optional<Work> work = store.open_work(planned.key, holder);
        REQUIRE(work);
        NodePtr same = stage.settings->get("same");
        fs::create_directories(work->outputs() / "report");
        std::ofstream(work->outputs() / "report" / "report.json")
            << (same->text == "true" ? "the same" : planned.key);
        Manifest manifest;
        manifest.key = planned.key;
        manifest.stage = stage.name;
        manifest.use = stage.use;
        manifest.record = planned.record;
        manifest.created = fmt::format("2026-01-01T00:00:{:02}.000000Z", made_++ % 60);
        manifest.outputs = {{"report", "report", "", {}}};
        for (const fs::path& path : planned.written) {
            fs::create_directories(path.parent_path());
            std::ofstream(path) << "written";
            manifest.written[path.string()] = store.outside_digest(path, Verify::sizes, 1);
        }
        store.publish(*work, manifest, {}, planned.replace);
    }

    mutable int made_ = 0;
};

/// The recipe of the table: `a` reads a file and an environment, `b` takes a's report, `c` b's.
std::string three_stages(std::string_view a, std::string_view b = "") {
    return fmt::format(
        "stages:\n"
        "  a: {{use: test.make, file: ./data/in.txt{}}}\n"
        "  b: {{use: test.make, from: a, same: true{}}}\n"
        "  c: {{use: test.make, parts: [b, a]}}\n",
        a,
        b);
}

}  // namespace

TEST_CASE("what changes decides what runs again") {
    struct Row {
        const char* what;
        std::function<void(Stove&)> change;
        const char* states;  // of a, b and c afterwards
        const char* reason;  // of the first that is not cached
    };
    auto recipe = [](std::string a, std::string b = "") {
        return [=](Stove& stove) { stove.kitchen.write_recipe(three_stages(a, b)); };
    };
    auto write = [](const char* name, const char* text) {
        return [=](Stove& stove) { stove.kitchen.folder().write(name, text); };
    };
    const Row rows[] = {
        {"nothing", [](Stove&) {}, "CCC", ""},
        {"a setting", recipe(", steps: 20"), "RBB", "settings.steps: 10 -> 20"},
        {"a setting's spelling", recipe(", steps: 1e1"), "CCC", ""},
        {"a default written out", recipe(", rate: 0.10"), "CCC", ""},
        {"a setting without influence", recipe(", note: new"), "CCC", ""},
        {"a comment",
         [](Stove& stove) { stove.kitchen.write_recipe("# hi\n" + three_stages("")); },
         "CCC",
         ""},
        {"the order of keys", recipe(", rate: 0.1, steps: 10"), "CCC", ""},
        {"ranks", recipe(", ranks: 4"), "CCC", ""},
        {"retries", recipe(", retry: 2"), "CCC", ""},
        {"device", recipe(", device: cpu"), "RBB", "device: \"auto\" -> \"cpu\""},
        {"environment", recipe(", env: {A: 1}"), "RBB", "env.A: nothing -> \"1\""},
        {"x-version",
         [](Stove& stove) { stove.kitchen.write_schema(2); },
         "RBB",
         "x-version 1 -> 2"},
        {"what an outside file holds",
         write("data/in.txt", "other"),
         "RBB",
         "file has other content"},
        {"only a file's time",
         [](Stove& stove) {
             fs::last_write_time(stove.kitchen.folder().path() / "data/in.txt",
                                 fs::file_time_type::clock::now() + std::chrono::hours(1));
         },
         "CCC",
         ""},
        {"a file's place",
         [](Stove& stove) {
             const fs::path& folder = stove.kitchen.folder().path();
             fs::create_directories(folder / "moved");
             fs::rename(folder / "data/in.txt", folder / "moved/renamed.txt");
             std::string text = three_stages("");
             text.replace(text.find("./data/in.txt"), 13, "./moved/renamed.txt");
             stove.kitchen.write_recipe(text);
         },
         "CCC",
         ""},
        {"a stage's name",
         [](Stove& stove) {
             stove.kitchen.write_recipe(
                 "stages:\n"
                 "  x: {use: test.make, file: ./data/in.txt}\n"
                 "  y: {use: test.make, from: x, same: true}\n"
                 "  z: {use: test.make, parts: [y, x]}\n");
         },
         "CCC",
         ""},
        {"the order of inputs",
         [](Stove& stove) {
             std::string text = three_stages("");
             text.replace(text.find("[b, a]"), 6, "[a, b]");
             stove.kitchen.write_recipe(text);
         },
         "CCR",
         "input parts has other content"},
        {"a stage in the middle", recipe("", ", steps: 11"), "CRB", "settings.steps: 10 -> 11"},
        {"force", [](Stove& stove) { stove.options.force = {"b"}; }, "CRB", "forced"},
        {"cache: false", recipe("", ", cache: false"), "CRB", "cache: false"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.what);
        Stove stove;
        stove.kitchen.folder().write("data/in.txt", "text");
        stove.kitchen.write_recipe(three_stages(""));
        CHECK(stove.plan().states() == "RBB");
        CHECK(stove.cook() == 3);
        row.change(stove);
        Stove::Served served = stove.plan();
        CHECK(served.states() == row.states);
        for (const PlannedStage& stage : served.plan.stages)
            if (stage.state != StageState::cached) {
                CHECK(stage.reason == row.reason);
                break;
            }
    }
}

TEST_CASE("a stage that comes out the same leaves what follows cached") {
    Stove stove;
    stove.kitchen.write_recipe(
        "stages:\n"
        "  a: {use: test.make, same: true}\n"
        "  b: {use: test.make, from: a}\n");
    CHECK(stove.cook() == 2);
    stove.kitchen.write_recipe(
        "stages:\n"
        "  a: {use: test.make, same: true, steps: 11}\n"
        "  b: {use: test.make, from: a}\n");
    Stove::Served served = stove.plan();
    CHECK(served.states() == "RB");
    CHECK(served.stage("b").reason == "after a");
    CHECK(stove.cook() == 1);
    CHECK(stove.plan().states() == "CC");
}

TEST_CASE("the line that caused a run is the changed setting's, through a reference too") {
    Stove stove;
    auto text = [](int steps) {
        return fmt::format(
            "params: {{n: {}}}\nstages:\n  a:\n    use: test.make\n"
            "    steps: ${{params.n}}\n",
            steps);
    };
    stove.kitchen.write_recipe(text(5));
    stove.cook();
    stove.kitchen.write_recipe(text(6));
    Stove::Served served = stove.plan();
    CHECK(served.stage("a").reason == "settings.steps: 5 -> 6");
    CHECK(served.line_of_cause("a") == 1);
}

TEST_CASE("a source too large to read in passing blocks, as a whole") {
    Stove stove;
    stove.kitchen.folder().write("big/one.txt", std::string(1000, 'x'));
    stove.kitchen.folder().write("big/two.txt", std::string(1000, 'y'));
    stove.kitchen.write_recipe("stages:\n  a: {use: test.make, file: ./big}\n");
    stove.options.hash_at_most = 1500;
    Stove::Served served = stove.plan();
    CHECK(served.states() == "B");
    CHECK(served.stage("a").reason == "source not hashed yet");
    CHECK(served.stage("a").unread.size() == 2);
    CHECK(served.line_of_cause("a") == 2);
    stove.options.hash_at_most = 2000;
    CHECK(stove.plan().states() == "R");
}

TEST_CASE("a source that is not there is a mistake, at the setting, with exit 3") {
    Stove stove;
    stove.kitchen.write_recipe("stages:\n  a: {use: test.make, file: ./none}\n");
    Stove::Served served = stove.plan();
    const Diagnostics& diagnostics = served.dish->diagnostics;
    REQUIRE(diagnostics.errors() == 1);
    CHECK(diagnostics.exit_code() == 3);
    CHECK(diagnostics.all().front().key == "stages.a.file");
    CHECK(diagnostics.all().front().message.starts_with("there is no file or folder"));
}

TEST_CASE("a source that an earlier stage writes is waited for") {
    Stove stove;
    std::string made = (stove.kitchen.folder().path() / "out/made").string();
    stove.kitchen.write_recipe("stages:\n  a: {use: test.make, to: " + made +
                               "}\n  b: {use: test.make, after: [a], file: " + made + "}\n");
    Stove::Served served = stove.plan();
    CHECK(served.dish->diagnostics.ok());
    CHECK(served.stage("b").reason == "after a");
    CHECK(stove.cook() == 2);
    CHECK(stove.plan().states() == "CC");
}

TEST_CASE("a stage that writes outside is cached only while that is there, unchanged") {
    Stove stove;
    std::string to = (stove.kitchen.folder().path() / "out/file").string();
    auto text = [](const std::string& path) {
        return "stages:\n  a: {use: test.make, to: " + path + "}\n";
    };
    stove.kitchen.write_recipe(text(to));
    stove.cook();
    CHECK(stove.plan().states() == "C");
    SUBCASE("gone") {
        fs::remove(to);
        CHECK(stove.plan().states() == "R");
        CHECK(stove.plan().stage("a").replace);
    }
    SUBCASE("changed") {
        std::ofstream(to) << "something else";
        CHECK(stove.plan().states() == "R");
    }
    SUBCASE("wanted elsewhere") {
        stove.kitchen.write_recipe(text(to + "2"));
        Stove::Served served = stove.plan();
        CHECK(served.states() == "R");
        CHECK(served.stage("a").reason.ends_with("is not written yet"));
    }
    CHECK(stove.cook() == 1);
    CHECK(stove.plan().states() == "C");
}

TEST_CASE("a plan says that a branch was taken as it was, and a commit needs no such word") {
    auto reason = [](const std::string& note) {
        Stove stove;
        stove.kitchen.write_recipe("stages:\n  a: {use: test.make, note: \"" + note + "\"}\n");
        CHECK(stove.cook() == 1);
        return stove.plan().stage("a").reason;
    };
    CHECK(reason("hf:ORG/NAME") ==
          "in the store; 'main' of hf:ORG/NAME as it was then, --force a asks again");
    CHECK(reason("hf:ORG/NAME@v2") ==
          "in the store; 'v2' of hf:ORG/NAME as it was then, --force a asks again");
    CHECK(reason("hf:ORG/NAME@" + std::string(40, 'a')) == "in the store");
    CHECK(reason("of hf:ORG/NAME") == "in the store");
}

TEST_CASE("a stage that names its own sources is cached while they have not changed") {
    Stove stove;
    stove.kitchen.folder().write("model/w.bin", "weights");
    stove.kitchen.write_recipe(
        "stages:\n  a: {use: test.make, file: \"hf:org/name\"}\n"
        "  b: {use: test.make, from: a}\n");
    Stove::Served before = stove.plan();
    CHECK(before.states() == "RB");
    fs::path folder = stove.kitchen.folder().path() / "model";
    Binding binding;
    FileRecord file = digest_file(folder / "w.bin", 1);
    file.path = "w.bin";
    binding.outputs["report"] = {"report", folder, {file}, content_digest({file})};
    binding.key = before.stage("a").key;
    stove.store().remember_binding(before.stage("a").binding_id, binding);

    Stove::Served after = stove.plan();
    CHECK(after.states() == "CR");
    CHECK(after.stage("a").paths.at("report") == folder);
    SUBCASE("only its time changed") {
        fs::last_write_time(folder / "w.bin", fs::file_time_type::clock::now());
        CHECK(stove.plan().states() == "CR");
    }
    SUBCASE("other content") {
        stove.kitchen.folder().write("model/w.bin", "weightz");
        CHECK(stove.plan().states() == "RB");
        CHECK(stove.plan().stage("a").reason.ends_with("has changed"));
    }
    SUBCASE("other content, too much to read") {
        stove.kitchen.folder().write("model/w.bin", "weightz");
        stove.options.hash_at_most = 1;
        CHECK(stove.plan().stage("a").reason == "source not hashed yet");
    }
    SUBCASE("gone") {
        fs::remove(folder / "w.bin");
        CHECK(stove.plan().states() == "RB");
    }
    SUBCASE("forced") {
        stove.options.force = {"a"};
        CHECK(stove.plan().states() == "RB");
    }
}

TEST_CASE("files that a stage read by itself are part of its key") {
    Stove stove;
    fs::path questions = stove.kitchen.folder().write("questions.csv", "q");
    stove.kitchen.write_recipe("stages:\n  a: {use: test.make}\n");
    Stove::Served before = stove.plan();
    const PlannedStage& planned = before.stage("a");
    FileRecord file = digest_file(questions, 1);
    file.path = questions.string();
    KeyParts parts = planned.parts;
    add_reads(parts, {file});
    PlannedStage finished = planned;
    finished.record = key_record(before.dish->stage("a"), parts);
    finished.key = key_of(finished.record);
    stove.run(before.dish->stage("a"), finished);
    CHECK(stove.plan().states() == "R");  // nothing says yet what it read
    Binding binding;
    binding.reads = {file};
    binding.key = finished.key;
    stove.store().remember_binding(planned.binding_id, binding);
    CHECK(stove.plan().states() == "C");
    stove.kitchen.folder().write("questions.csv", "r");
    Stove::Served served = stove.plan();
    CHECK(served.states() == "R");
    CHECK(served.stage("a").reason.ends_with("questions.csv' has changed"));
}

TEST_CASE("a local folder that a stage bound counts as changed when a file comes to it") {
    Stove stove;
    stove.kitchen.folder().write("model/w.bin", "weights");
    stove.kitchen.write_recipe("stages:\n  a: {use: test.make, file: ./model}\n");
    Stove::Served before = stove.plan();
    fs::path folder = stove.kitchen.folder().path() / "model";
    Binding binding;
    FileRecord file = digest_file(folder / "w.bin", 1);
    file.path = "w.bin";
    binding.outputs["report"] = {"report", folder, {file}, content_digest({file})};
    binding.key = before.stage("a").key;
    stove.store().remember_binding(before.stage("a").binding_id, binding);
    CHECK(stove.plan().states() == "C");
    stove.kitchen.folder().write("model/config.json", "{}");
    CHECK(stove.plan().states() == "R");
}

TEST_CASE("a damaged entry runs again and says why") {
    Stove stove;
    stove.kitchen.write_recipe("stages:\n  a: {use: test.make}\n");
    stove.cook();
    fs::path file = stove.store().output(stove.plan().stage("a").key, "report") / "report.json";
    fs::permissions(file.parent_path(), fs::perms::owner_all);
    fs::remove(file);
    Stove::Served served = stove.plan();
    CHECK(served.states() == "R");
    CHECK(served.stage("a").replace);
    CHECK(served.stage("a").reason.find("report.json") != std::string::npos);
}

TEST_CASE("a plan against a store that is not there makes none") {
    Stove stove;
    stove.kitchen.write_recipe("stages:\n  a: {use: test.make}\n");
    stove.plan();
    CHECK_FALSE(fs::exists(stove.kitchen.folder().path() / "store"));
}

TEST_CASE("stages that give the same have one identity in every job") {
    Kitchen kitchen;
    auto identities = [&](const char* steps) {
        kitchen.write_recipe(fmt::format(
            "stages:\n  a: {{use: test.make}}\n  b: {{use: test.make, from: a, steps: {}}}\n"
            "  c: {{use: test.make, from: b, to: out/{}}}\n",
            steps,
            steps));
        return stage_identities(kitchen.prepare()->graph);
    };
    std::vector<std::string> one = identities("1");
    std::vector<std::string> two = identities("2");
    CHECK(one[0] == two[0]);
    CHECK(one[1] != two[1]);
    CHECK(one[2] != two[2]);
}

TEST_CASE("a part of a graph is what a stage needs, or what needs it") {
    Kitchen kitchen;
    kitchen.write_recipe(
        "stages:\n  a: {use: test.make}\n  b: {use: test.make, from: a}\n"
        "  c: {use: test.make, from: b}\n  d: {use: test.make, after: [a]}\n");
    auto dish = kitchen.prepare();
    CHECK(stages_up_to(dish->graph, "b") == std::set<std::size_t>{0, 1});
    CHECK(stages_from(dish->graph, "b") == std::set<std::size_t>{1, 2});
    CHECK(stages_from(dish->graph, "a").size() == 4);
    CHECK(stages_from(dish->graph, "none").empty());
}
