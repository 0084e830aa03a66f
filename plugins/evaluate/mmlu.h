#pragma once

#include "engine/plugin/stage.h"
#include "plugins/evaluate/mmlu_settings.h"

namespace stillroom::evaluate {

/// Asks a model the questions of MMLU.
class Mmlu final : public Stage {
public:
    using Settings = MmluSettings;
    explicit Mmlu(const Settings& settings) : settings_(settings) {}
    void describe(DescribeContext& context) const override;
    void run(RunContext& context) override;

private:
    Settings settings_;
};

}  // namespace stillroom::evaluate
