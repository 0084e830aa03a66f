#pragma once

#include "engine/base/api.h"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <optional>

namespace stillroom::lm {

// B sequences of one length, Q queries, S keys, H query heads, G key/value heads, K head dim

struct Attending {
    double scale = 1;
    std::optional<std::int64_t> window;  ///< keys that a query sees, itself included
    std::optional<double> cap;           ///< c·tanh(scores / c)
};

/// Causal attention of the last Q of S positions; head h reads key head h / (H / G). Returns
/// [B, Q, H, K]. Never holds more scores than a block of queries needs.
STILLROOM_API at::Tensor attend(const at::Tensor& q_BQHK,
                                const at::Tensor& k_BSGK,
                                const at::Tensor& v_BSGK,
                                const Attending& how);

}  // namespace stillroom::lm
