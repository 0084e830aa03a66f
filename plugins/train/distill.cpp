#include "plugins/train/distill.h"

#include "plugins/train/check.h"
#include "plugins/train/compute.h"
#include "plugins/train/training_of.h"

namespace stillroom::train {
namespace {

constexpr Ports kPorts = {.student = "student", .teacher = "teacher"};

}  // namespace

void Distill::describe(DescribeContext& context) const {
    describe_training(context, training_of(settings_), kPorts);
}

void Distill::run(RunContext& context) {
    STILLROOM_SECOND_HALF("train_compute", stillroom_train)
    (training_of(settings_), kPorts, context);
}

}  // namespace stillroom::train
