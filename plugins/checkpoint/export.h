#pragma once

#include "engine/plugin/stage.h"
#include "plugins/checkpoint/export_settings.h"

namespace stillroom::checkpoint {

/// Writes a model to a folder of the user's. It gets its name when all is written and was read
/// back.
class Export final : public Stage {
public:
    using Settings = ExportSettings;
    explicit Export(const Settings& settings) : settings_(settings) {}
    void describe(DescribeContext& context) const override;
    void run(RunContext& context) override;

private:
    Settings settings_;
};

}  // namespace stillroom::checkpoint
