#pragma once

#include "engine/plugin/stage.h"
#include "plugins/train/distill_settings.h"

namespace stillroom::train {

/// Teaches a student to foresee what its teacher foresees.
class Distill final : public Stage {
public:
    using Settings = DistillSettings;
    explicit Distill(const Settings& settings) : settings_(settings) {}
    void describe(DescribeContext& context) const override;
    void run(RunContext& context) override;

private:
    Settings settings_;
};

}  // namespace stillroom::train
