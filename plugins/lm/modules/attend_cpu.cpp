#include "plugins/lm/modules/attend_cpu.h"

#include "plugins/lm/kernels/softmax.h"
#include "plugins/lm/modules/fused.h"

#include <ATen/Parallel.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>

#include <algorithm>
#include <cstring>

// LibTorch's fused kernel multiplies tiles of 32 or 64 queries by one head's keys; its products run
// at a third of the speed of large ones.

namespace stillroom::lm {
namespace {

constexpr std::int64_t kBlockScores = 1 << 19;  // 2 MiB: they stay in a core's cache
constexpr std::int64_t kFewestQueries = 32, kMostQueries = 128;

/// Keys that a block of the most queries sees.
std::int64_t widest(std::int64_t keys, const Attending& how) {
    return how.window ? std::min(keys, *how.window + kMostQueries) : keys;
}

/// One block of queries of one sequence, for the heads of one key head.
class BlockOfHeads {
public:
    BlockOfHeads(const at::Tensor& q_BQHK,
                 const at::Tensor& k_BSGK,
                 const at::Tensor& v_BSGK,
                 const at::Tensor& out_BQHK,
                 const Attending& how,
                 std::int64_t block)
        : q_(q_BQHK),
          k_(k_BSGK),
          v_(v_BSGK),
          out_(out_BQHK),
          how_(how),
          heads_(q_.size(2) / k_.size(2)),
          dim_(q_.size(3)),
          packed_(at::empty({heads_ * block, dim_}, q_.options())),
          mixed_(at::empty({heads_ * block, dim_}, q_.options())),
          scores_(at::empty({heads_ * block * k_.size(1)}, q_.options())) {}

    void compute(std::int64_t row, std::int64_t group, std::int64_t begin, std::int64_t end) {
        std::int64_t queries = end - begin, first = k_.size(1) - q_.size(1) + begin;
        std::int64_t key_end = first + queries;
        std::int64_t key_begin =
            how_.window ? std::max<std::int64_t>(0, first + 1 - *how_.window) : 0;
        std::int64_t keys = key_end - key_begin;
        auto part = [&](const at::Tensor& x) {
            return x.select(0, row).select(1, group).narrow(0, key_begin, keys);
        };
        copy_heads(q_, packed_, row, group, begin, queries, /*into=*/true);
        at::Tensor q = packed_.narrow(0, 0, heads_ * queries);
        at::Tensor scores = scores_.narrow(0, 0, heads_ * queries * keys).view({-1, keys});
        at::mm_out(scores, q, part(k_).t());
        float* score = mutable_elements_of<float>(scores);
        for (std::int64_t i = 0; i < heads_ * queries; i++, score += keys) {
            std::int64_t position = first + i % queries;
            std::int64_t lowest =
                how_.window ? std::max<std::int64_t>(0, position + 1 - *how_.window) : 0;
            softmax_part(best_tier(),
                         score,
                         static_cast<std::size_t>(lowest - key_begin),
                         static_cast<std::size_t>(position + 1 - key_begin),
                         static_cast<std::size_t>(keys),
                         static_cast<float>(how_.scale));
        }
        at::Tensor mixed = mixed_.narrow(0, 0, heads_ * queries);
        at::mm_out(mixed, scores, part(v_));
        copy_heads(out_, mixed_, row, group, begin, queries, /*into=*/false);
    }

private:
    /// Between [B, Q, H, K] and the block's own [heads · queries, K].
    void copy_heads(const at::Tensor& x_BQHK,
                    const at::Tensor& block,
                    std::int64_t row,
                    std::int64_t group,
                    std::int64_t begin,
                    std::int64_t queries,
                    bool into) const {
        auto* own = mutable_elements_of<float>(block);
        auto* all = mutable_elements_of<float>(x_BQHK) + row * x_BQHK.stride(0) +
                    group * heads_ * x_BQHK.stride(2);
        auto bytes = static_cast<std::size_t>(dim_) * sizeof(float);
        for (std::int64_t head = 0; head < heads_; head++)
            for (std::int64_t i = 0; i < queries; i++, own += dim_) {
                float* there = all + (begin + i) * x_BQHK.stride(1) + head * x_BQHK.stride(2);
                std::memcpy(into ? own : there, into ? there : own, bytes);
            }
    }

    const at::Tensor &q_, &k_, &v_, &out_;
    const Attending& how_;
    std::int64_t heads_, dim_;
    at::Tensor packed_, mixed_, scores_;
};

}  // namespace

bool can_attend_on_cpu(const at::Tensor& q_BQHK,
                       const at::Tensor& k_BSGK,
                       const at::Tensor& v_BSGK,
                       const Attending& how) {
    std::int64_t heads = q_BQHK.size(2) / k_BSGK.size(2);
    auto fit = [](const at::Tensor& x) {
        return x.is_cpu() && x.scalar_type() == at::kFloat && x.stride(3) == 1 &&
               needs_no_gradient(x);
    };
    return !how.cap && q_BQHK.size(1) >= kFewestQueries &&
           heads * widest(k_BSGK.size(1), how) * kFewestQueries <= kBlockScores && fit(q_BQHK) &&
           fit(k_BSGK) && fit(v_BSGK);
}

at::Tensor attend_on_cpu(const at::Tensor& q_BQHK,
                         const at::Tensor& k_BSGK,
                         const at::Tensor& v_BSGK,
                         const Attending& how) {
    std::int64_t rows = q_BQHK.size(0), queries = q_BQHK.size(1), groups = k_BSGK.size(2);
    std::int64_t heads = q_BQHK.size(2) / groups;
    std::int64_t block =
        std::min({kMostQueries, queries, kBlockScores / (heads * widest(k_BSGK.size(1), how))});
    at::Tensor out_BQHK = at::empty(q_BQHK.sizes(), q_BQHK.options());
    at::parallel_for(0, rows * groups, 1, [&](std::int64_t first, std::int64_t last) {
        at::AutoDispatchBelowADInplaceOrView below;  // other threads know of no inference mode
        BlockOfHeads part(q_BQHK, k_BSGK, v_BSGK, out_BQHK, how, block);
        for (std::int64_t i = first; i < last; i++)
            for (std::int64_t begin = 0; begin < queries; begin += block)
                part.compute(i / groups, i % groups, begin, std::min(begin + block, queries));
    });
    return out_BQHK;
}

}  // namespace stillroom::lm
