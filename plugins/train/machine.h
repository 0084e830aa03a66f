#pragma once

#include "engine/plugin/stage.h"
#include "plugins/lm/parallel/comm.h"

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <string>

namespace stillroom::train {

/// What a training computes on, and in: `auto` is decided once and stays so when work goes on.
struct Machine {
    at::Device device = at::kCPU;
    at::ScalarType type = at::kFloat;
    std::string device_name, type_name;  ///< "cpu", "fp32"
    lm::Comm world;                      ///< the ranks of the stage
};

Machine machine_of(RunContext& context, std::string_view precision);

}  // namespace stillroom::train
