#pragma once

#include "plugins/lm/modules/decoder.h"

#include <vector>

namespace stillroom::prune {

/// What a candidate's head takes, and the head.
struct Headed {
    const lm::Decoder* decoder = nullptr;
    at::Tensor hidden_TD;
};

/// KL(teacher || candidate) of each token, in nats: a tensor [T] of fp32 on the CPU per candidate.
/// The teacher's logits are made once for all; [T, vocabulary] never exists.
std::vector<at::Tensor> token_kl(const Headed& teacher, const std::vector<Headed>& candidates);

}  // namespace stillroom::prune
