#pragma once

#include "engine/plugin/stage.h"
#include "plugins/evaluate/perplexity_settings.h"

namespace stillroom::evaluate {

/// Measures how well a model foresees a text.
class Perplexity final : public Stage {
public:
    using Settings = PerplexitySettings;
    explicit Perplexity(const Settings& settings) : settings_(settings) {}
    void describe(DescribeContext& context) const override;
    void run(RunContext& context) override;

private:
    Settings settings_;
};

}  // namespace stillroom::evaluate
