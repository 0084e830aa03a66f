#pragma once

#include "engine/plugin/stage.h"
#include "plugins/prune/importance_settings.h"

namespace stillroom::prune {

/// Measures on text how much each channel, head and layer of a model contributes.
class Importance final : public Stage {
public:
    using Settings = ImportanceSettings;
    explicit Importance(const Settings& settings) : settings_(settings) {}
    void describe(DescribeContext& context) const override;
    void run(RunContext& context) override;

private:
    Settings settings_;
};

}  // namespace stillroom::prune
