#pragma once

#include "engine/plugin/stage.h"
#include "plugins/data/mock_settings.h"

namespace stillroom::data {

/// Counted-up ids in documents of seeded lengths: document i has
/// 1 + splitmix64(seed + i) mod max_length tokens, token j is 1 + j mod (V - 1), the last one ends
/// the document.
class Mock final : public Stage {
public:
    using Settings = MockSettings;
    explicit Mock(const Settings& settings) : settings_(settings) {}
    void describe(DescribeContext& context) const override;
    void run(RunContext& context) override;

private:
    Settings settings_;
};

}  // namespace stillroom::data
