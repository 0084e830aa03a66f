#pragma once

#include "engine/plugin/stage.h"
#include "plugins/evaluate/generate_settings.h"

namespace stillroom::evaluate {

/// Goes on with a text.
class Generate final : public Stage {
public:
    using Settings = GenerateSettings;
    explicit Generate(const Settings& settings) : settings_(settings) {}
    void describe(DescribeContext& context) const override;
    void run(RunContext& context) override;

private:
    Settings settings_;
};

}  // namespace stillroom::evaluate
