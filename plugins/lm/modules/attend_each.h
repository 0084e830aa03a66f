#pragma once

#include "plugins/lm/modules/attend.h"
#include "plugins/lm/modules/kv_cache.h"

#include <vector>

namespace stillroom::lm {

// T tokens of all sequences, S keys, H query heads, G key/value heads, K head dim

/// Keys and values that a sequence sees, in the order of its text; its own are at the end of the
/// last. Pieces may be seen by several sequences and are never copied.
using Seen = std::vector<KvCache::Kept>;

/// Causal attention of each sequence's queries, which lie one behind another, to what it sees.
/// Returns [T, H, K].
STILLROOM_API at::Tensor attend_each(const at::Tensor& q_THK,
                                     const std::vector<std::int64_t>& lengths,
                                     const std::vector<Seen>& seen,
                                     const Attending& how);

}  // namespace stillroom::lm
