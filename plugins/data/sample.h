#pragma once

#include "engine/plugin/stage.h"
#include "plugins/data/sample_settings.h"
#include "plugins/lm/config/model_config.h"

namespace stillroom::data {

/// Has a model write texts.
class Sample final : public Stage {
public:
    using Settings = SampleSettings;
    explicit Sample(const Settings& settings) : settings_(settings) {}
    void describe(DescribeContext& context) const override;
    void run(RunContext& context) override;

private:
    /// What the texts at work keep of what they have read, when all are at their longest.
    std::uint64_t cache_bytes(const lm::ModelConfig& config) const;

    Settings settings_;
};

}  // namespace stillroom::data
