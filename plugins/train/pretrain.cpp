#include "plugins/train/pretrain.h"

#include "plugins/train/check.h"
#include "plugins/train/compute.h"
#include "plugins/train/training_of.h"

namespace stillroom::train {
namespace {

constexpr Ports kPorts = {.student = "model", .teacher = {}};

}  // namespace

void Pretrain::describe(DescribeContext& context) const {
    describe_training(context, training_of(settings_), kPorts);
}

void Pretrain::run(RunContext& context) {
    STILLROOM_SECOND_HALF("train_compute", stillroom_train)
    (training_of(settings_), kPorts, context);
}

}  // namespace stillroom::train
