#pragma once

#include "engine/plugin/stage.h"
#include "plugins/data/sample_settings.h"

namespace stillroom::data {

/// Has a model write texts.
class Sample final : public Stage {
public:
    using Settings = SampleSettings;
    explicit Sample(const Settings& settings) : settings_(settings) {}
    void describe(DescribeContext& context) const override;
    void run(RunContext& context) override;

private:
    Settings settings_;
};

}  // namespace stillroom::data
