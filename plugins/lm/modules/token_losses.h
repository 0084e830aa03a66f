#pragma once

#include "plugins/lm/modules/decoder.h"

namespace stillroom::lm {

// T tokens, D hidden

/// -log of the probability that the model gives each target, in fp32 whatever it computes in: [T].
/// Takes rows by the block, so that [T, vocabulary] never exists. `targets_T` is int64; a target
/// below zero is not asked for and costs 0. Inference only.
STILLROOM_API at::Tensor token_losses(const Decoder& decoder,
                                      const at::Tensor& hidden_TD,
                                      const at::Tensor& targets_T);

}  // namespace stillroom::lm
