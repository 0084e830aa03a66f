#pragma once

#include "engine/plugin/second_half.h"
#include "engine/plugin/stage.h"
#include "plugins/data/sample_settings.h"

namespace stillroom::data {

// What run() calls in data_compute.so, which links LibTorch.
extern "C" {
STILLROOM_API void stillroom_data_sample(const SampleSettings& settings, RunContext& context);
}

}  // namespace stillroom::data
