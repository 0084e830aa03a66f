#pragma once

#include "tests/plugins/toy/env_settings.h"
#include "tests/plugins/toy/export_settings.h"
#include "tests/plugins/toy/read_settings.h"
#include "tests/plugins/toy/source_settings.h"
#include "tests/plugins/toy/toy_stage.h"

namespace stillroom::toy {

/// Its output is the folder itself.
class Source final : public ToyStage<SourceSettings> {
public:
    using ToyStage::ToyStage;
    void describe(DescribeContext& context) const override;
    void run(RunContext& context) override;
};

class Read final : public ToyStage<ReadSettings> {
public:
    using ToyStage::ToyStage;
    void describe(DescribeContext& context) const override;
    void run(RunContext& context) override;
};

class Export final : public ToyStage<ExportSettings> {
public:
    using ToyStage::ToyStage;
    void run(RunContext& context) override;
};

class Env final : public ToyStage<EnvSettings> {
public:
    using ToyStage::ToyStage;
    void run(RunContext& context) override;
};

}  // namespace stillroom::toy
