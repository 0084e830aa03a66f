#pragma once

#include "plugins/lm/modules/attend_each.h"

namespace stillroom::lm {

/// Takes fp32 on the CPU, no cap, no gradient, and scores of a block that stay in its cache.
bool can_attend_on_cpu(const at::Tensor& q_THK,
                       const std::vector<std::int64_t>& lengths,
                       const std::vector<Seen>& seen,
                       const Attending& how);

/// What attend_each() computes, a block of queries at a time for all heads that share a key head:
/// two large products for each piece that is seen and one pass over the scores between them.
at::Tensor attend_on_cpu(const at::Tensor& q_THK,
                         const std::vector<std::int64_t>& lengths,
                         const std::vector<Seen>& seen,
                         const Attending& how);

}  // namespace stillroom::lm
