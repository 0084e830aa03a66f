#pragma once

#include "engine/base/api.h"
#include "plugins/lm/config/model_config.h"

#include <cstdint>

namespace stillroom::lm {

/// Floating-point operations of a forward pass, per token: two for each number of every matrix but
/// the embedding's, and two for each key and head dimension that attention looks at twice, a causal
/// query at half of `sequence` on average, or what its window leaves of it.
STILLROOM_API double forward_flops(const ModelConfig& model, std::int64_t sequence);

/// Of a training, per token: its forward and backward, and the forward of a teacher. What is
/// computed again to save memory does not count.
STILLROOM_API double training_flops(const ModelConfig& student,
                                    const ModelConfig* teacher,
                                    std::int64_t sequence);

}  // namespace stillroom::lm
