#include "plugins/lm/modules/attend.h"

#include "plugins/lm/modules/attend_cpu.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/scaled_dot_product_attention.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <limits>
#include <vector>

namespace stillroom::lm {
namespace {

// Queries are taken in blocks wherever a mask is needed: a block's mask is small, and a window's
// block need not meet the keys before it.
constexpr std::int64_t kMaskedQueries = 512;
constexpr std::int64_t kFewestOnCpu = 32;  // queries that are worth a block of our own
constexpr std::int64_t kScores = 1 << 24;  // of one block that computes its own softmax

struct Block {
    std::int64_t begin = 0, end = 0;          // positions of the queries
    std::int64_t key_begin = 0, key_end = 0;  // positions of the keys they see
};

/// 0 where a query sees a key, -inf elsewhere.
at::Tensor mask_of(const Block& block, const Attending& how, const at::Tensor& like) {
    at::TensorOptions positions = at::TensorOptions().device(like.device()).dtype(at::kLong);
    at::Tensor query = at::arange(block.begin, block.end, positions).unsqueeze(1);
    at::Tensor key = at::arange(block.key_begin, block.key_end, positions).unsqueeze(0);
    at::Tensor hidden = key > query;
    if (how.window)
        hidden = hidden.logical_or_(key <= query - *how.window);
    return at::zeros(hidden.sizes(), like.options())
        .masked_fill_(hidden, -std::numeric_limits<double>::infinity());
}

/// Every query of the block sees every key of it.
bool needs_no_mask(const Block& block, const Attending& how) {
    bool last_sees_first = !how.window || block.end - 1 - block.key_begin < *how.window;
    return block.end - block.begin == 1 && last_sees_first;
}

/// What the fused kernel cannot do: scores that are capped before the softmax.
at::Tensor attend_capped(const at::Tensor& q_BHQK,
                         const at::Tensor& k_BGSK,
                         const at::Tensor& v_BGSK,
                         const Block& block,
                         const Attending& how) {
    std::int64_t batch = q_BHQK.size(0), heads = q_BHQK.size(1), queries = q_BHQK.size(2);
    std::int64_t groups = k_BGSK.size(1), keys = k_BGSK.size(2);
    at::Tensor q = q_BHQK.reshape({batch, groups, -1, q_BHQK.size(3)});  // a group's queries as one
    at::Tensor scores = at::matmul(q, k_BGSK.transpose(2, 3)).view({batch, heads, queries, keys});
    scores = at::tanh(scores * how.scale / *how.cap) * *how.cap;
    if (!needs_no_mask(block, how))
        scores = scores + mask_of(block, how, q_BHQK);
    at::Tensor shares = at::softmax(scores, -1, at::kFloat).to(q_BHQK.scalar_type());
    return at::matmul(shares.view({batch, groups, -1, keys}), v_BGSK)
        .view({batch, heads, queries, -1});
}

at::Tensor attend_fused(const at::Tensor& q_BHQK,
                        const at::Tensor& k_BGSK,
                        const at::Tensor& v_BGSK,
                        const Block& block,
                        const Attending& how) {
    bool square = block.begin == block.key_begin;
    bool causal = square && block.end - block.begin > 1 &&
                  (!how.window || block.end - block.begin <= *how.window);
    std::optional<at::Tensor> mask;
    if (!causal && !needs_no_mask(block, how))
        mask = mask_of(block, how, q_BHQK);
    return at::scaled_dot_product_attention(
        q_BHQK, k_BGSK, v_BGSK, mask, 0.0, causal, how.scale, q_BHQK.size(1) != k_BGSK.size(1));
}

std::int64_t queries_a_block(const at::Tensor& q_BQHK,
                             std::int64_t keys,
                             bool windowed,
                             const Attending& how) {
    std::int64_t queries = q_BQHK.size(1);
    if (!how.cap && !windowed && queries == keys)
        return queries;  // plain causal: the kernel knows the mask
    std::int64_t block = windowed ? std::max(*how.window, std::int64_t{64}) : kMaskedQueries;
    if (how.cap) {
        std::int64_t width = std::min(keys, windowed ? *how.window + block : keys);
        block = std::min(block, kScores / (q_BQHK.size(0) * q_BQHK.size(2) * width));
    }
    return std::clamp(block, std::int64_t{1}, queries);
}

}  // namespace

at::Tensor attend(const at::Tensor& q_BQHK,
                  const at::Tensor& k_BSGK,
                  const at::Tensor& v_BSGK,
                  const Attending& how) {
    if (q_BQHK.size(1) >= kFewestOnCpu && q_BQHK.is_cpu()) {
        std::vector<Seen> seen;
        for (std::int64_t row = 0; row < q_BQHK.size(0); row++)
            seen.push_back({{k_BSGK.select(0, row), v_BSGK.select(0, row)}});
        std::vector<std::int64_t> lengths(seen.size(), q_BQHK.size(1));
        at::Tensor q_THK = q_BQHK.flatten(0, 1);
        if (can_attend_on_cpu(q_THK, lengths, seen, how))
            return attend_on_cpu(q_THK, lengths, seen, how).view(q_BQHK.sizes());
    }
    std::int64_t queries = q_BQHK.size(1), keys = k_BSGK.size(1), first = keys - queries;
    bool windowed = how.window && *how.window < keys;
    std::int64_t size = queries_a_block(q_BQHK, keys, windowed, how);
    std::vector<at::Tensor> pieces;
    for (std::int64_t begin = 0; begin < queries; begin += size) {
        std::int64_t end = std::min(begin + size, queries);
        Block block{.begin = first + begin, .end = first + end, .key_end = first + end};
        if (windowed)
            block.key_begin = std::max(std::int64_t{0}, block.begin + 1 - *how.window);
        std::int64_t seen = block.key_end - block.key_begin;
        at::Tensor q_BHQK = q_BQHK.narrow(1, begin, end - begin).transpose(1, 2);
        at::Tensor k_BGSK = k_BSGK.narrow(1, block.key_begin, seen).transpose(1, 2);
        at::Tensor v_BGSK = v_BSGK.narrow(1, block.key_begin, seen).transpose(1, 2);
        at::Tensor out_BHQK = how.cap ? attend_capped(q_BHQK, k_BGSK, v_BGSK, block, how)
                                      : attend_fused(q_BHQK, k_BGSK, v_BGSK, block, how);
        pieces.push_back(out_BHQK.transpose(1, 2));
    }
    return pieces.size() == 1 ? pieces.front() : at::cat(pieces, 1);
}

}  // namespace stillroom::lm
