#pragma once

#include "tests/plugins/toy/data_settings.h"
#include "tests/plugins/toy/join_settings.h"
#include "tests/plugins/toy/noop_settings.h"
#include "tests/plugins/toy/toy_stage.h"
#include "tests/plugins/toy/upper_settings.h"
#include "tests/plugins/toy/write_settings.h"

namespace stillroom::toy {

class Write final : public ToyStage<WriteSettings> {
public:
    using ToyStage::ToyStage;
    void describe(DescribeContext& context) const override;
    void run(RunContext& context) override;
};

/// Has an output that need not be there.
class Data final : public ToyStage<DataSettings> {
public:
    using ToyStage::ToyStage;
    void describe(DescribeContext& context) const override;
    void run(RunContext& context) override;
};

class Join final : public ToyStage<JoinSettings> {
public:
    using ToyStage::ToyStage;
    void describe(DescribeContext& context) const override;
    void run(RunContext& context) override;
};

/// Refuses too long a text before anything runs.
class Upper final : public ToyStage<UpperSettings> {
public:
    using ToyStage::ToyStage;
    void describe(DescribeContext& context) const override;
    void run(RunContext& context) override;
};

/// The cheapest stage, for benches.
class Noop final : public ToyStage<NoopSettings> {
public:
    using ToyStage::ToyStage;
    void run(RunContext& context) override;
};

}  // namespace stillroom::toy
