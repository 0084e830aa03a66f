#pragma once

#include "engine/plugin/stage.h"
#include "plugins/lm/config/model_config.h"
#include "plugins/lm/parallel/comm.h"

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

namespace stillroom::prune {

/// Thrown out of a loop when the engine asks the stage to stop: run() then returns.
struct Stopped {};

/// What a stage computes on, and in: `auto` is decided once and stays so when work goes on.
struct Machine {
    at::Device device = at::kCPU;
    at::ScalarType type = at::kFloat;
    std::string type_name;  ///< "float32"
    lm::Comm comm;          ///< the ranks of the stage

    bool first_rank() const { return comm.rank() == 0; }
};

Machine machine_of(RunContext& context);

/// Bytes of memory that a new tensor can have there: what is free; 0 where nobody can tell.
std::uint64_t free_memory(at::Device device);

/// Tokens of a pass that keep the machine busy and its memory small.
std::int64_t batch_tokens(at::Device device);

}  // namespace stillroom::prune
