#pragma once

#include "engine/plugin/stage.h"
#include "plugins/prune/minitron_settings.h"

namespace stillroom::prune {

/// Cuts a model to a shape, or to the best shape under a target.
class Minitron final : public Stage {
public:
    using Settings = MinitronSettings;
    explicit Minitron(const Settings& settings) : settings_(settings) {}
    void describe(DescribeContext& context) const override;
    void run(RunContext& context) override;

private:
    Settings settings_;
};

}  // namespace stillroom::prune
