#pragma once

#include "engine/plugin/stage.h"
#include "plugins/train/pretrain_settings.h"

namespace stillroom::train {

/// Teaches a model to foresee text.
class Pretrain final : public Stage {
public:
    using Settings = PretrainSettings;
    explicit Pretrain(const Settings& settings) : settings_(settings) {}
    void describe(DescribeContext& context) const override;
    void run(RunContext& context) override;

private:
    Settings settings_;
};

}  // namespace stillroom::train
