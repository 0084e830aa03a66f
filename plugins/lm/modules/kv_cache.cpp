#include "plugins/lm/modules/kv_cache.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <cassert>

namespace stillroom::lm {
namespace {

/// `kept` with room for `tokens`; doubling, so that a token costs the same on average.
at::Tensor with_room(const at::Tensor& kept,
                     std::int64_t length,
                     std::int64_t tokens,
                     const at::Tensor& like_TGK) {
    if (kept.defined() && kept.size(0) >= tokens)
        return kept;
    std::int64_t capacity = std::max({tokens, 2 * length, std::int64_t{64}});
    at::Tensor larger =
        at::empty({capacity, like_TGK.size(1), like_TGK.size(2)}, like_TGK.options());
    if (length > 0)
        larger.narrow(0, 0, length).copy_(kept.narrow(0, 0, length));
    return larger;
}

}  // namespace

const KvCache::Kept& KvCache::room(std::size_t layer,
                                   std::int64_t tokens,
                                   const at::Tensor& like_TGK) {
    Kept& kept = layers_.at(layer);
    kept.keys_SGK = with_room(kept.keys_SGK, length_, length_ + tokens, like_TGK);
    kept.values_SGK = with_room(kept.values_SGK, length_, length_ + tokens, like_TGK);
    return kept;
}

KvCache::Kept KvCache::append(std::size_t layer,
                              const at::Tensor& keys_TGK,
                              const at::Tensor& values_TGK) {
    std::int64_t tokens = keys_TGK.size(0);
    const Kept& kept = room(layer, tokens, keys_TGK);
    kept.keys_SGK.narrow(0, length_, tokens).copy_(keys_TGK);
    kept.values_SGK.narrow(0, length_, tokens).copy_(values_TGK);
    return {kept.keys_SGK.narrow(0, 0, length_ + tokens),
            kept.values_SGK.narrow(0, 0, length_ + tokens)};
}

void KvCache::truncate(std::int64_t length) {
    assert(length >= 0 && length <= length_ && "only what is there can be forgotten");
    length_ = length;
}

KvCache KvCache::copy() const {
    KvCache twin = *this;
    for (Kept& kept : twin.layers_) {
        if (kept.keys_SGK.defined())
            kept = {kept.keys_SGK.narrow(0, 0, length_).clone(),
                    kept.values_SGK.narrow(0, 0, length_).clone()};
    }
    return twin;
}

}  // namespace stillroom::lm
