#pragma once

#include "engine/plugin/stage.h"
#include "plugins/checkpoint/init_settings.h"

namespace stillroom::checkpoint {

/// Makes a model of random weights.
class Init final : public Stage {
public:
    using Settings = InitSettings;
    explicit Init(const Settings& settings) : settings_(settings) {}
    void describe(DescribeContext& context) const override;
    void run(RunContext& context) override;

private:
    Settings settings_;
};

}  // namespace stillroom::checkpoint
