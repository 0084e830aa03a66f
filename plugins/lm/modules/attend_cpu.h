#pragma once

#include "plugins/lm/modules/attend.h"

namespace stillroom::lm {

/// Takes fp32 on the CPU, no cap, no gradient, several queries, and scores of a block that stay in
/// its cache.
bool can_attend_on_cpu(const at::Tensor& q_BQHK,
                       const at::Tensor& k_BSGK,
                       const at::Tensor& v_BSGK,
                       const Attending& how);

/// What attend() computes, a block of queries at a time for all heads that share a key head: two
/// large products and one pass over the scores between them.
at::Tensor attend_on_cpu(const at::Tensor& q_BQHK,
                         const at::Tensor& k_BSGK,
                         const at::Tensor& v_BSGK,
                         const Attending& how);

}  // namespace stillroom::lm
