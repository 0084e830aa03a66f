#include "plugins/lm/modules/attention.h"

#include "plugins/lm/modules/attend.h"
#include "plugins/lm/modules/norm.h"

#include <ATen/ops/cat.h>

namespace stillroom::lm {
namespace {

at::Tensor heads_of(const at::Tensor& x_TD, const Linear& proj, std::int64_t heads) {
    at::Tensor x = linear(x_TD, proj);
    return x.view({x.size(0), heads, -1});
}

/// One sequence's keys and values with those of its cache before them.
KvCache::Kept with_cached(const at::Tensor& k_TGK,
                          const at::Tensor& v_TGK,
                          const AttentionPass& pass,
                          std::size_t sequence) {
    if (pass.batch.caches.empty())
        return {k_TGK, v_TGK};
    return pass.batch.caches[sequence]->append(pass.layer, k_TGK, v_TGK);
}

/// Each sequence by itself: no other can reach it.
at::Tensor attend_each(const at::Tensor& q_THK,
                       const at::Tensor& k_TGK,
                       const at::Tensor& v_TGK,
                       const AttentionPass& pass,
                       const Attending& how) {
    std::vector<at::Tensor> pieces;
    std::int64_t begin = 0;
    for (std::size_t sequence = 0; sequence < pass.batch.lengths.size(); sequence++) {
        std::int64_t length = pass.batch.lengths[sequence];
        auto part = [&](const at::Tensor& x) { return x.narrow(0, begin, length); };
        KvCache::Kept kept = with_cached(part(k_TGK), part(v_TGK), pass, sequence);
        pieces.push_back(attend(part(q_THK).unsqueeze(0),
                                kept.keys_SGK.unsqueeze(0),
                                kept.values_SGK.unsqueeze(0),
                                how)
                             .squeeze(0));
        begin += length;
    }
    return pieces.size() == 1 ? pieces.front() : at::cat(pieces, 0);
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
    at::Tensor out = pass.batch.caches.empty() && pass.batch.even()
                         ? attend_rows(q_THK, k_TGK, v_TGK, pass.batch.lengths.front(), how)
                         : attend_each(q_THK, k_TGK, v_TGK, pass, how);
    if (regroup)
        out = regrouped(out.reshape({x_TD.size(0), pass.shape.heads, -1}), pass.shape.kv_heads);
    at::Tensor heads_TN = out.reshape({x_TD.size(0), -1});
    if (pass.see_heads)
        pass.see_heads(heads_TN);
    return linear(heads_TN, weights.o_proj);
}

}  // namespace stillroom::lm
