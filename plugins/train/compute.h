#pragma once

#include "engine/plugin/second_half.h"
#include "engine/plugin/stage.h"
#include "plugins/train/check.h"
#include "plugins/train/training.h"

namespace stillroom::train {

// What the stages' run() calls in train_compute.so, which links LibTorch.
extern "C" {
STILLROOM_API void stillroom_train(const Training& training,
                                   const Ports& ports,
                                   RunContext& context);
}

}  // namespace stillroom::train
