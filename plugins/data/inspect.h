#pragma once

#include "engine/plugin/stage.h"
#include "plugins/data/inspect_settings.h"

namespace stillroom::data {

/// Reports what a dataset holds.
class Inspect final : public Stage {
public:
    using Settings = InspectSettings;
    explicit Inspect(const Settings& settings) : settings_(settings) {}
    void describe(DescribeContext& context) const override;
    void run(RunContext& context) override;

private:
    Settings settings_;
};

}  // namespace stillroom::data
