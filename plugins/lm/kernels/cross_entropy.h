#pragma once

#include "engine/base/api.h"
#include "plugins/lm/kernels/vectors.h"

#include <cstddef>

namespace stillroom::lm {

/// ln of the sum of e^x over a row, less the target's x: what a model loses on the target. Reads
/// the row twice and writes nothing. NaN where a logit is NaN.
STILLROOM_API float cross_entropy(const float* logits, std::size_t vocab, std::size_t target);

STILLROOM_API float cross_entropy_at(Tier tier,
                                     const float* logits,
                                     std::size_t vocab,
                                     std::size_t target);

/// Its twin: the formula in double.
STILLROOM_API float cross_entropy_plain(const float* logits, std::size_t vocab, std::size_t target);

}  // namespace stillroom::lm
