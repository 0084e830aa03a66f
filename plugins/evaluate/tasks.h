#pragma once

#include "engine/plugin/stage.h"
#include "plugins/evaluate/tasks_settings.h"

namespace stillroom::evaluate {

/// Asks a model multiple-choice questions from files.
class Tasks final : public Stage {
public:
    using Settings = TasksSettings;
    explicit Tasks(const Settings& settings) : settings_(settings) {}
    void describe(DescribeContext& context) const override;
    void run(RunContext& context) override;

private:
    Settings settings_;
};

}  // namespace stillroom::evaluate
