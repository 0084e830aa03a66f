#pragma once

#include "engine/plugin/stage.h"
#include "plugins/evaluate/compare_settings.h"

namespace stillroom::evaluate {

/// Tells models side by side.
class Compare final : public Stage {
public:
    using Settings = CompareSettings;
    explicit Compare(const Settings& settings) : settings_(settings) {}
    void describe(DescribeContext& context) const override;
    void run(RunContext& context) override;

private:
    Settings settings_;
};

}  // namespace stillroom::evaluate
