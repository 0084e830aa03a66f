#include "engine/plan/describe.h"

#include "engine/plan/estimate.h"
#include "tests/engine/plan/kitchen.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace stillroom;

namespace {

struct Planned {
    Kitchen kitchen;
    std::unique_ptr<Dish> dish;
    Plan plan;

    explicit Planned(const char* recipe) {
        kitchen.write_recipe(recipe);
        dish = kitchen.prepare();
        plan =
            make_plan(dish->graph, Store(kitchen.folder().path() / "store"), {}, dish->diagnostics);
    }

    std::vector<DescribeStage> asked;

    void describe(std::vector<DescribeAnswer> answers, std::vector<Plan*> plans = {}) {
        if (plans.empty())
            plans = {&plan};
        describe_plans(
            plans,
            [&](const std::vector<DescribeStage>& stages) {
                asked = stages;
                return answers;
            },
            dish->sources,
            dish->diagnostics);
    }
};

constexpr const char* kTwo =
    "stages:\n"
    "  a:\n"
    "    use: test.make\n"
    "    steps: 7\n"
    "    nested: {free: {k: \"hf:o/n\"}}\n"
    "  b: {use: test.make, from: a, ranks: 2, device: cpu}\n";

DescribeAnswer costs(std::string stage, std::map<std::string, double> cost) {
    return {std::move(stage), Description{std::move(cost), ""}, std::nullopt};
}

}  // namespace

TEST_CASE("every stage that will run is asked once, with what feeds it") {
    Planned planned(kTwo);
    planned.describe({});
    REQUIRE(planned.asked.size() == 2);
    CHECK(planned.asked[0].given ==
          std::vector<std::string>{"steps", "nested", "nested.free", "nested.free.k"});
    CHECK(planned.asked[0].outputs == std::vector<std::string>{"report"});
    CHECK(planned.asked[1].inputs.at("from").front().stage == "a");
    CHECK(planned.asked[1].inputs.at("from").front().output == "report");
    CHECK(planned.asked[1].ranks == 2);
    CHECK(planned.asked[1].device == "cpu");
}

TEST_CASE("a cached stage is not asked, its artifact is handed on") {
    Planned planned(kTwo);
    planned.plan.stages[0].state = StageState::cached;
    planned.plan.stages[0].paths["report"] = "/store/key/report";
    planned.describe({});
    REQUIRE(planned.asked.size() == 1);
    CHECK(planned.asked[0].name == "b");
    CHECK(planned.asked[0].inputs.at("from").front().path == "/store/key/report");
}

TEST_CASE("a refusal points at the setting, as deep as it is written") {
    struct Row {
        const char* stage;
        const char* key;
        int line;
    };
    for (const Row& row : {Row{"a", "steps", 4},
                           {"a", "nested.free.k", 5},
                           {"a", "nested.free.other", 5},
                           {"a", "rate", 2},  // a default: the stage's name
                           {"a", "", 2},
                           {"a", "unheard", 2},
                           {"b", "from", 6},
                           {"b", "ranks", 6}}) {
        CAPTURE(row.key);
        Planned planned(kTwo);
        planned.describe({{row.stage, std::nullopt, Refusal{"cannot be", row.key, "try", {}, 3}}});
        REQUIRE(planned.dish->diagnostics.errors() == 1);
        const Diagnostic& mistake = planned.dish->diagnostics.all().front();
        CHECK(planned.dish->sources.position(mistake.where.begin).line == row.line);
        CHECK(mistake.hint == "try");
        CHECK(mistake.exit_code == 3);
    }
}

TEST_CASE("what a stage says cannot draw on the terminal") {
    Planned planned(kTwo);
    planned.describe({{"a", std::nullopt, Refusal{"x\x1b[2J", "", "", {}, 2}}});
    CHECK(planned.dish->diagnostics.all().front().message == "x\\x1b[2J");
}

TEST_CASE("answers about stages that nobody asked for are dropped") {
    Planned planned(kTwo);
    planned.describe({{"evil", std::nullopt, Refusal{"x", "", "", {}, 2}}});
    CHECK(planned.dish->diagnostics.ok());
}

TEST_CASE("costs add up: time, disk and FLOPs together, of memory the largest") {
    Planned planned(kTwo);
    planned.describe({costs("a", {{"seconds", 10}, {"memory_bytes", 5}, {"disk_bytes", 100}}),
                      costs("b", {{"seconds", 20}, {"memory_bytes", 3}, {"flops", 1e9}})});
    Totals totals = add_up(counted_stages({&planned.plan}));
    CHECK(totals.run == 1);
    CHECK(totals.blocked == 1);
    CHECK(totals.seconds == 30);
    CHECK(totals.memory_bytes == 5);
    CHECK(totals.disk_bytes == 100);
    CHECK(totals.flops == 1e9);
    CHECK(totals.unknown == 0);
}

TEST_CASE("what is not known stays open") {
    Planned planned(kTwo);
    Totals totals = add_up(counted_stages({&planned.plan}));
    CHECK_FALSE(totals.seconds);
    CHECK_FALSE(totals.memory_bytes);
    CHECK(totals.unknown == 2);
}

TEST_CASE("what will not fit is refused with exit 4, the disk once") {
    Planned planned(kTwo);
    planned.describe({costs("a", {{"memory_bytes", 2e9}, {"disk_bytes", 60}}),
                      costs("b", {{"memory_bytes", 5e8}, {"disk_bytes", 60}})});
    Room room{1'000'000'000, 100};
    refuse_what_will_not_fit(counted_stages({&planned.plan}), room, planned.dish->diagnostics);
    const Diagnostics& diagnostics = planned.dish->diagnostics;
    REQUIRE(diagnostics.errors() == 2);
    CHECK(diagnostics.exit_code() == 4);
    CHECK(diagnostics.all()[0].key == "stages.a");
    CHECK(diagnostics.all()[1].key == "stages.b");
    CHECK(diagnostics.all()[1].message.find("120 bytes") != std::string::npos);
}

TEST_CASE("stages that jobs share are asked and counted once") {
    Planned one("stages:\n  a: {use: test.make}\n  b: {use: test.make, from: a, steps: 1}\n");
    Planned two("stages:\n  a: {use: test.make}\n  b: {use: test.make, from: a, steps: 2}\n");
    one.describe({costs("1/a", {{"seconds", 10}}),
                  costs("1/b", {{"seconds", 1}}),
                  costs("2/b", {{"seconds", 2}})},
                 {&one.plan, &two.plan});
    REQUIRE(one.asked.size() == 3);
    CHECK(one.asked[2].name == "2/b");
    CHECK(one.asked[2].inputs.at("from").front().stage == "1/a");
    CHECK(two.plan.stages[0].description->cost.at("seconds") == 10);
    CHECK(add_up(counted_stages({&one.plan, &two.plan})).seconds == 13);
}

TEST_CASE("times are told in their own unit") {
    CHECK(time_text(90) == "90 s");
    CHECK(time_text(600) == "10 min");
    CHECK(time_text(9000) == "2.5 h");
    CHECK(time_text(300000) == "3.5 days");
}
