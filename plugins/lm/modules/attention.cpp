#include "plugins/lm/modules/attention.h"

#include "plugins/lm/modules/attend.h"
#include "plugins/lm/modules/attend_each.h"
#include "plugins/lm/modules/attend_next.h"
#include "plugins/lm/modules/norm.h"

namespace stillroom::lm {
namespace {

at::Tensor heads_of(const at::Tensor& x_TD, const Linear& proj, std::int64_t heads) {
    at::Tensor x = linear(x_TD, proj);
    return x.view({x.size(0), heads, -1});
}

/// What each sequence sees, in the order of its text: what it goes on from, then its own.
std::vector<Seen> seen_by_each(const at::Tensor& k_TGK,
                               const at::Tensor& v_TGK,
                               const AttentionPass& pass) {
    const Batch& batch = pass.batch;
    std::vector<Seen> seen(batch.lengths.size());
    std::int64_t begin = 0;
    for (std::size_t i = 0; i < seen.size(); i++) {
        std::int64_t length = batch.lengths[i];
        KvCache::Kept own{k_TGK.narrow(0, begin, length), v_TGK.narrow(0, begin, length)};
        if (KvCache* cache = batch.cache(i))
            own = cache->append(pass.layer, own.keys_SGK, own.values_SGK);
        if (!batch.after.empty() && batch.after[i] >= 0)
            seen[i] = seen[static_cast<std::size_t>(batch.after[i])];
        if (own.keys_SGK.size(0) > 0)
            seen[i].push_back(std::move(own));
        begin += length;
    }
    return seen;
}

/// All sequences at once: they have one length and no past.
at::Tensor attend_rows(const at::Tensor& q_THK,
                       const at::Tensor& k_TGK,
                       const at::Tensor& v_TGK,
                       std::int64_t length,
                       const Attending& how) {
    auto rows = [&](const at::Tensor& x) { return x.view({-1, length, x.size(1), x.size(2)}); };
    return attend(rows(q_THK), rows(k_TGK), rows(v_TGK), how);
}

/// [.., outer · inner, ..] to [.., inner · outer, ..] of the heads.
at::Tensor regrouped(const at::Tensor& x_THK, std::int64_t outer) {
    return x_THK.view({x_THK.size(0), outer, -1, x_THK.size(2)})
        .transpose(1, 2)
        .reshape(x_THK.sizes());
}

}  // namespace

at::Tensor attention(const at::Tensor& x_TD,
                     const AttentionWeights& weights,
                     const AttentionPass& pass) {
    const ModelConfig& model = pass.model;
    at::Tensor q_THK = heads_of(x_TD, weights.q_proj, pass.shape.heads);
    at::Tensor k_TGK = heads_of(x_TD, weights.k_proj, pass.shape.kv_heads);
    at::Tensor v_TGK = heads_of(x_TD, weights.v_proj, pass.shape.kv_heads);
    if (model.qk_norm) {
        q_THK = norm(q_THK, {.weight = weights.q_norm, .bias = {}}, model.norm, model.norm_eps);
        k_TGK = norm(k_TGK, {.weight = weights.k_norm, .bias = {}}, model.norm, model.norm_eps);
    }
    q_THK = rotate(q_THK, pass.turns);
    k_TGK = rotate(k_TGK, pass.turns);
    const bool regroup = weights.heads_by_rank && pass.shape.kv_heads > 1;
    if (regroup)
        q_THK = regrouped(q_THK, pass.shape.heads / pass.shape.kv_heads);

    Attending how{
        .scale = model.attention_scale, .window = pass.shape.window, .cap = model.attention_cap};
    at::Tensor out;
    if (pass.batch.one_by_one)
        out = attend_next(q_THK, k_TGK, v_TGK, pass.batch, pass.layer, how);
    else if (pass.batch.plain_rows())
        out = attend_rows(q_THK, k_TGK, v_TGK, pass.batch.lengths.front(), how);
    else
        out = attend_each(q_THK, pass.batch.lengths, seen_by_each(k_TGK, v_TGK, pass), how);
    if (regroup)
        out = regrouped(out.reshape({x_TD.size(0), pass.shape.heads, -1}), pass.shape.kv_heads);
    at::Tensor heads_TN = out.reshape({x_TD.size(0), -1});
    if (pass.see_heads)
        pass.see_heads(heads_TN);
    return linear(heads_TN, weights.o_proj);
}

}  // namespace stillroom::lm
