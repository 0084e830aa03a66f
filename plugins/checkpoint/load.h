#pragma once

#include "engine/plugin/stage.h"
#include "plugins/checkpoint/load_settings.h"

namespace stillroom::checkpoint {

/// Names a model. A folder and a snapshot of the Hub are bound as they lie there; a GGUF file, or
/// another dtype, makes a new folder.
class Load final : public Stage {
public:
    using Settings = LoadSettings;
    explicit Load(const Settings& settings) : settings_(settings) {}
    void describe(DescribeContext& context) const override;
    void run(RunContext& context) override;

private:
    Settings settings_;
};

}  // namespace stillroom::checkpoint
