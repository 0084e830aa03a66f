#pragma once

#include "engine/plugin/stage.h"
#include "plugins/data/blend_settings.h"

namespace stillroom::data {

/// Names datasets and weights; copies no tokens.
class Blend final : public Stage {
public:
    using Settings = BlendSettings;
    explicit Blend(const Settings& settings) : settings_(settings) {}
    void describe(DescribeContext& context) const override;
    void run(RunContext& context) override;

private:
    Settings settings_;
};

}  // namespace stillroom::data
