#pragma once

#include <engine/plugin/stage.h>

#include "count_settings.h"

namespace stillroom::words {

/// report.json of its output maps each word to how often it stands in the text.
class Count final : public Stage {
public:
    using Settings = CountSettings;  // made from stages/words.count.schema.json
    explicit Count(const Settings& settings) : settings_(settings) {}

    void describe(DescribeContext& context) const override;
    void run(RunContext& context) override;

private:
    Settings settings_;
};

}  // namespace stillroom::words
