#pragma once

#include "engine/plugin/stage.h"
#include "plugins/data/open_settings.h"

namespace stillroom::data {

/// Token files that are there already: checked, named, not copied.
class Open final : public Stage {
public:
    using Settings = OpenSettings;
    explicit Open(const Settings& settings) : settings_(settings) {}
    void describe(DescribeContext& context) const override;
    void run(RunContext& context) override;

private:
    Settings settings_;
};

}  // namespace stillroom::data
