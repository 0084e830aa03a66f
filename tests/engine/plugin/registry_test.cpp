#include "engine/plugin/registry.h"

#include "engine/base/error.h"

#include <doctest/doctest.h>

namespace {

using namespace stillroom;

struct CountSettings {
    static constexpr std::string_view kStage = "sample.count";
    std::int64_t steps = 0;
};
void read_setting(const SettingReader& in, CountSettings& out) {
    in.need("steps", out.steps);
}
struct StrangeSettings : CountSettings {
    static constexpr std::string_view kStage = "samples.count";
};

template <class S>
class Count final : public Stage {
public:
    using Settings = S;
    explicit Count(const Settings& settings) : steps(settings.steps) {}
    void run(RunContext&) override {}
    std::int64_t steps;
};

class Unsettled final : public Stage {
public:
    void run(RunContext&) override {}
};
static_assert(StageClass<Count<CountSettings>>);
static_assert(!StageClass<Unsettled>);
static_assert(!StageClass<CountSettings>);

TEST_CASE("a registry makes the stages that were added") {
    Registry registry("sample");
    registry.add<Count<CountSettings>>();
    std::unique_ptr<Stage> stage = registry.make("sample.count", Json::parse(R"({"steps": 3})"));
    CHECK(dynamic_cast<Count<CountSettings>&>(*stage).steps == 3);
    CHECK(registry.stages() == std::vector<std::string>{"sample.count"});
}

TEST_CASE("a plugin adds each of its own stages once, and no other") {
    Registry registry("sample");
    registry.add<Count<CountSettings>>();
    CHECK_THROWS_WITH_AS(
        registry.add<Count<CountSettings>>(), "the stage 'sample.count' is added twice", Error);
    CHECK_THROWS_WITH_AS(registry.add<Count<StrangeSettings>>(),
                         "plugin 'sample' may not add the stage 'samples.count'",
                         Error);
}

TEST_CASE("what cannot work is thrown with its key and the exit of a recipe's mistake") {
    struct Nowhere final : DescribeContext {
        bool has(std::string_view) const override { return false; }
        std::filesystem::path input(std::string_view) const override { return {}; }
        std::vector<std::filesystem::path> inputs(std::string_view) const override { return {}; }
        std::filesystem::path output(std::string_view) const override { return {}; }
        bool given(std::string_view) const override { return false; }
        bool offline() const override { return true; }
        void log(LogLevel, std::string_view) override {}
        int ranks() const override { return 1; }
        void cost(const Cost&) override {}
    };
    try {
        Nowhere().refuse("target.params", "too few", "take more");
    } catch (const Error& error) {
        CHECK(error.setting() == "target.params");
        CHECK(error.hint_text() == "take more");
        CHECK(error.exit_code() == kExitUsage);
    }
}

}  // namespace
