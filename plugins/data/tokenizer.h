#pragma once

#include "engine/plugin/stage.h"
#include "plugins/data/tokenizer_settings.h"

namespace stillroom::data {

/// Names a tokenizer. A folder and a snapshot of the Hub are bound as they lie there, less all that
/// is no tokenizer's; a file by itself, or the one inside a GGUF model, makes a new folder.
class NameTokenizer final : public Stage {
public:
    using Settings = TokenizerSettings;
    explicit NameTokenizer(const Settings& settings) : settings_(settings) {}
    void describe(DescribeContext& context) const override;
    void run(RunContext& context) override;

private:
    Settings settings_;
};

}  // namespace stillroom::data
