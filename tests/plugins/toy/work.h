#pragma once

#include "tests/plugins/toy/count_settings.h"
#include "tests/plugins/toy/ranks_settings.h"
#include "tests/plugins/toy/sleep_settings.h"
#include "tests/plugins/toy/toy_stage.h"

namespace stillroom::toy {

/// Saves in work() and goes on there; the output does not tell whether it was stopped.
class Count final : public ToyStage<CountSettings> {
public:
    using ToyStage::ToyStage;
    void describe(DescribeContext& context) const override;
    void run(RunContext& context) override;
};

/// Saves nothing.
class Sleep final : public ToyStage<SleepSettings> {
public:
    using ToyStage::ToyStage;
    void describe(DescribeContext& context) const override;
    void run(RunContext& context) override;
};

/// Ranks that meet in files of work(): rank 0 writes the output when all are there.
class Ranks final : public ToyStage<RanksSettings> {
public:
    using ToyStage::ToyStage;
    void run(RunContext& context) override;

private:
    bool wait_for(RunContext& context, const std::filesystem::path& file) const;
};

}  // namespace stillroom::toy
