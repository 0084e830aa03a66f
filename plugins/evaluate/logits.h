#pragma once

#include "engine/plugin/stage.h"
#include "plugins/evaluate/logits_settings.h"

namespace stillroom::evaluate {

/// Writes what a model expects after each token.
class Logits final : public Stage {
public:
    using Settings = LogitsSettings;
    explicit Logits(const Settings& settings) : settings_(settings) {}
    void describe(DescribeContext& context) const override;
    void run(RunContext& context) override;

private:
    Settings settings_;
};

}  // namespace stillroom::evaluate
