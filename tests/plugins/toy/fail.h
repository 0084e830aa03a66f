#pragma once

#include "tests/plugins/toy/fail_settings.h"
#include "tests/plugins/toy/toy_stage.h"

namespace stillroom::toy {

class Fail final : public ToyStage<FailSettings> {
public:
    using ToyStage::ToyStage;
    void describe(DescribeContext& context) const override;
    void run(RunContext& context) override;

private:
    [[noreturn]] void fail(const StageContext& context) const;
};

}  // namespace stillroom::toy
