#pragma once

#include "tests/plugins/toy/big_settings.h"
#include "tests/plugins/toy/toy_stage.h"

namespace stillroom::toy {

class Big final : public ToyStage<BigSettings> {
public:
    using ToyStage::ToyStage;
    void describe(DescribeContext& context) const override;
    void run(RunContext& context) override;
};

}  // namespace stillroom::toy
