#pragma once

#include "engine/plugin/stage.h"
#include "plugins/checkpoint/inspect_settings.h"

namespace stillroom::checkpoint {

/// Reports what a model is. Needs no more than its config.json.
class Inspect final : public Stage {
public:
    using Settings = InspectSettings;
    explicit Inspect(const Settings& settings) : settings_(settings) {}
    void describe(DescribeContext& context) const override;
    void run(RunContext& context) override;

private:
    Settings settings_;
};

}  // namespace stillroom::checkpoint
