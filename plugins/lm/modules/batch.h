#pragma once

#include "plugins/lm/modules/kv_cache.h"

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <vector>

namespace stillroom::lm {

// B rows, T tokens of all sequences

/// Tokens of several sequences, one behind another. No block ever sees a padding token: padding is
/// taken out here, once, and put back into the result where it is wanted. So neither padding nor
/// its neighbours can change what a sequence computes. A sequence's positions start at 0, or where
/// its cache or the sequence before it ends.
struct Batch {
    at::Tensor ids_T;                   ///< int64, on the CPU
    std::vector<std::int64_t> lengths;  ///< new tokens of each sequence; their sum is T
    std::vector<KvCache*> caches = {};  ///< none, or one for each sequence; null: it has none
    /// None, or for each sequence the earlier one of this batch that it goes on from, as if that
    /// one's text were its own beginning; -1: none. So texts share what they begin with. Who has a
    /// cache goes on from none.
    std::vector<std::int64_t> after = {};
    /// A token's attention is computed as if it came alone, whatever comes with it: where texts are
    /// written, how they were cut into passes must not show. Not with `after`.
    bool one_by_one = false;
    at::Tensor positions_T = {};  ///< int64; undefined: they count on in each sequence

    KvCache* cache(std::size_t sequence) const {
        return caches.empty() ? nullptr : caches[sequence];
    }
    /// Position of the first new token of a sequence.
    std::int64_t start(std::size_t sequence) const;

    /// Sequences of one length that begin here: blocks may see [B, T/B, ...].
    bool plain_rows() const;
};

STILLROOM_API Batch batch_of_rows(const at::Tensor& ids_BT);

/// Sequences that lie in one row between `starts` (0 first, T last), as in "cu_seqlens".
STILLROOM_API Batch batch_of_packed(const at::Tensor& ids_T,
                                    const std::vector<std::int64_t>& starts);

/// The tokens of each row where the mask is true, on whichever side the padding is.
STILLROOM_API Batch batch_without_padding(const at::Tensor& ids_BT, const at::Tensor& mask_BT);

/// Puts results, one row a token, back where the mask is true; zeros elsewhere.
STILLROOM_API at::Tensor with_padding(const at::Tensor& x_TD, const at::Tensor& mask_BT);

}  // namespace stillroom::lm
