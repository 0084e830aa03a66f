#pragma once

#include "engine/plugin/stage.h"
#include "plugins/checkpoint/compare_settings.h"

namespace stillroom::checkpoint {

/// Reports how two models differ.
class Compare final : public Stage {
public:
    using Settings = CompareSettings;
    explicit Compare(const Settings& settings) : settings_(settings) {}
    void run(RunContext& context) override;

private:
    Settings settings_;
};

}  // namespace stillroom::checkpoint
