#pragma once

#include "plugins/lm/config/model_config.h"
#include "plugins/lm/modules/batch.h"

#include <vector>

namespace stillroom::lm {

// T tokens, H heads of either kind, K head dim, R = half of the dims that turn

/// How far a batch's tokens turn under one rope.
struct Turns {
    at::Tensor cos_TR, sin_TR;
};

/// A text of this length turns by other angles than a shorter one (`dynamic`, beyond the positions
/// that the model knows): what was computed for its beginning is not what the whole text has.
bool bends_by_length(const Rope& rope, std::int64_t length);

/// Angles in fp32, cos and sin in the options' type. Throws Error where a sequence would go on from
/// a cache although its length bends all angles.
Turns turns_of(const Rope& rope, const Batch& batch, const at::TensorOptions& options);

/// Turns the first dims of each head, half-split: dim i with dim i + R.
STILLROOM_API at::Tensor rotate(const at::Tensor& x_THK, const Turns& turns);

}  // namespace stillroom::lm
