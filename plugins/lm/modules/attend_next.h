#pragma once

#include "plugins/lm/modules/attend.h"
#include "plugins/lm/modules/batch.h"

namespace stillroom::lm {

// T tokens of all sequences, H query heads, G key/value heads, K head dim

/// Attention of a batch that is one_by_one; appends to its caches. What a token gets depends on
/// what it sees alone, bit for bit. fp32 and bf16 without a cap on a CPU read each key once and
/// copy none.
at::Tensor attend_next(const at::Tensor& q_THK,
                       const at::Tensor& k_TGK,
                       const at::Tensor& v_TGK,
                       const Batch& batch,
                       std::size_t layer,
                       const Attending& how);

}  // namespace stillroom::lm
