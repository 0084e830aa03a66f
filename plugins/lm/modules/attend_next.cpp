#include "plugins/lm/modules/attend_next.h"

#include "plugins/lm/kernels/one_query.h"
#include "plugins/lm/modules/attend_each.h"
#include "plugins/lm/modules/fused.h"

#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include <algorithm>
#include <atomic>
#include <cassert>
#include <cstring>

namespace stillroom::lm {
namespace {

constexpr std::int64_t kWidestVector = 16;

/// A token and what it sees.
template <class Element>
struct Look {
    const Element *keys, *values;
    std::int64_t count;
};

/// Puts each sequence's new keys and values behind those it has.
template <class Element>
std::vector<Look<Element>> append(const at::Tensor& k_TGK,
                                  const at::Tensor& v_TGK,
                                  const Batch& batch,
                                  std::size_t layer) {
    std::vector<Look<Element>> looks;
    std::int64_t step = k_TGK.size(1) * k_TGK.size(2);
    const auto *k = elements_of<Element>(k_TGK), *v = elements_of<Element>(v_TGK);
    for (std::size_t i = 0; i < batch.lengths.size(); i++) {
        std::int64_t length = batch.lengths[i], start = 0;
        const Element *keys = k, *values = v;
        if (KvCache* cache = batch.cache(i)) {
            const KvCache::Kept& kept = cache->room(layer, length, k_TGK);
            start = cache->length();
            auto *to_keys = mutable_elements_of<Element>(kept.keys_SGK),
                 *to_values = mutable_elements_of<Element>(kept.values_SGK);
            auto bytes = static_cast<std::size_t>(length * step) * sizeof(Element);
            std::memcpy(to_keys + start * step, k, bytes);
            std::memcpy(to_values + start * step, v, bytes);
            keys = to_keys;
            values = to_values;
        }
        for (std::int64_t token = 0; token < length; token++)
            looks.push_back({keys, values, start + token + 1});
        k += length * step;
        v += length * step;
    }
    return looks;
}

template <class Element>
void attend_looks(Tier tier,
                  const at::Tensor& q_THK,
                  const at::Tensor& out_THK,
                  std::int64_t groups,
                  const std::vector<Look<Element>>& looks,
                  const Attending& how) {
    std::int64_t heads = q_THK.size(1) / groups, dim = q_THK.size(2), step = groups * dim;
    std::int64_t most = 0;
    for (const Look<Element>& look : looks)
        most = std::max(most, look.count);
    auto query_of = [&](std::int64_t keys) {
        return OneQuery{.heads = static_cast<std::size_t>(heads),
                        .dim = static_cast<std::size_t>(dim),
                        .keys = static_cast<std::size_t>(keys),
                        .key_step = static_cast<std::size_t>(step),
                        .scale = static_cast<float>(how.scale)};
    };
    const auto* q = elements_of<Element>(q_THK);
    auto* out = mutable_elements_of<Element>(out_THK);
    std::int64_t tasks = std::ssize(looks) * groups;
    std::atomic<std::int64_t> next = 0;  // texts differ in length: who has finished takes the next
    auto work = [&](std::int64_t, std::int64_t) {
        std::vector<float> scratch(scratch_of(query_of(most)));
        for (std::int64_t task = next++; task < tasks; task = next++) {
            std::int64_t token = task / groups, group = task % groups;
            const Look<Element>& look = looks[static_cast<std::size_t>(token)];
            std::int64_t first =
                how.window ? std::max<std::int64_t>(0, look.count - *how.window) : 0;
            std::int64_t at = (token * groups + group) * heads * dim;
            std::int64_t from = first * step + group * dim;
            attend_one(tier,
                       query_of(look.count - first),
                       q + at,
                       look.keys + from,
                       look.values + from,
                       out + at,
                       scratch.data());
        }
    };
    at::parallel_for(0, std::min<std::int64_t>(tasks, at::get_num_threads()), 1, work);
}

/// Each token as a sequence of its own that sees those before it.
at::Tensor attend_tokens(const at::Tensor& q_THK,
                         const at::Tensor& k_TGK,
                         const at::Tensor& v_TGK,
                         const Batch& batch,
                         std::size_t layer,
                         const Attending& how) {
    std::vector<Seen> seen;
    std::int64_t begin = 0;
    for (std::size_t i = 0; i < batch.lengths.size(); begin += batch.lengths[i++]) {
        std::int64_t length = batch.lengths[i];
        KvCache::Kept all{k_TGK.narrow(0, begin, length), v_TGK.narrow(0, begin, length)};
        if (KvCache* cache = batch.cache(i))
            all = cache->append(layer, all.keys_SGK, all.values_SGK);
        for (std::int64_t keys = all.keys_SGK.size(0) - length + 1; keys <= all.keys_SGK.size(0);
             keys++)
            seen.push_back({{all.keys_SGK.narrow(0, 0, keys), all.values_SGK.narrow(0, 0, keys)}});
    }
    return attend_each(q_THK, std::vector<std::int64_t>(seen.size(), 1), seen, how);
}

}  // namespace

at::Tensor attend_next(const at::Tensor& q_THK,
                       const at::Tensor& k_TGK,
                       const at::Tensor& v_TGK,
                       const Batch& batch,
                       std::size_t layer,
                       const Attending& how) {
    assert(batch.after.empty() && "texts that are written share nothing");
    std::optional<FusedTier> fused = fused_tier({&q_THK, &k_TGK, &v_TGK});
    if (!fused || how.cap || q_THK.size(2) % kWidestVector != 0)
        return attend_tokens(q_THK, k_TGK, v_TGK, batch, layer, how);
    at::Tensor out_THK = at::empty(q_THK.sizes(), q_THK.options());
    std::int64_t groups = k_TGK.size(1);
    if (fused->halves)
        attend_looks(
            fused->tier, q_THK, out_THK, groups, append<Bf16>(k_TGK, v_TGK, batch, layer), how);
    else
        attend_looks(
            fused->tier, q_THK, out_THK, groups, append<float>(k_TGK, v_TGK, batch, layer), how);
    return out_THK;
}

}  // namespace stillroom::lm
