#pragma once

#include "engine/plugin/stage.h"
#include "plugins/data/tokenize_settings.h"

namespace stillroom::data {

/// Text to token files, byte for byte as Megatron's preprocessor makes them.
class Tokenize final : public Stage {
public:
    using Settings = TokenizeSettings;
    explicit Tokenize(const Settings& settings) : settings_(settings) {}
    void describe(DescribeContext& context) const override;
    void run(RunContext& context) override;

private:
    Settings settings_;
};

}  // namespace stillroom::data
