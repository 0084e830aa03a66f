#include "plugins/lm/modules/attend_each.h"

#include "plugins/lm/modules/attend_cpu.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/tanh.h>

#include <algorithm>
#include <limits>

namespace stillroom::lm {
namespace {

constexpr std::int64_t kScoresAtOnce = 1 << 24;  // that exist at once

/// A block of one sequence's queries, the first at position `first` of its text. The pieces' scores
/// lie side by side: one softmax goes over all of them, and no key is copied.
at::Tensor attend_block(const at::Tensor& q_QHK,
                        const Seen& seen,
                        std::int64_t first,
                        const Attending& how) {
    std::int64_t queries = q_QHK.size(0), heads = q_QHK.size(1);
    std::int64_t groups = seen.front().keys_SGK.size(1);
    at::Tensor q_GRK =  // a key head's queries as one matrix
        q_QHK.transpose(0, 1).reshape({groups, heads / groups * queries, -1});
    std::vector<at::Tensor> parts;
    for (const KvCache::Kept& piece : seen)
        parts.push_back(at::matmul(q_GRK, piece.keys_SGK.permute({1, 2, 0})));
    at::Tensor scores = at::cat(parts, -1).view({heads, queries, -1}) * how.scale;
    if (how.cap)
        scores = at::tanh(scores / *how.cap) * *how.cap;
    at::TensorOptions positions = at::TensorOptions().device(q_QHK.device()).dtype(at::kLong);
    at::Tensor query = at::arange(first, first + queries, positions).unsqueeze(1);
    at::Tensor key = at::arange(scores.size(2), positions).unsqueeze(0);
    at::Tensor hidden = key > query;
    if (how.window)
        hidden = hidden.logical_or_(key <= query - *how.window);
    scores = scores.masked_fill(hidden, -std::numeric_limits<double>::infinity());
    at::Tensor shares_GRS =
        at::softmax(scores, -1, at::kFloat).to(q_QHK.scalar_type()).view({groups, -1, key.size(1)});
    at::Tensor mixed_GRK;
    std::int64_t column = 0;
    for (const KvCache::Kept& piece : seen) {
        std::int64_t keys = piece.keys_SGK.size(0);
        at::Tensor part =
            at::matmul(shares_GRS.narrow(2, column, keys), piece.values_SGK.transpose(0, 1));
        mixed_GRK = mixed_GRK.defined() ? mixed_GRK + part : part;
        column += keys;
    }
    return mixed_GRK.view({heads, queries, -1}).transpose(0, 1);
}

at::Tensor attend_pieces(const at::Tensor& q_QHK, const Seen& seen, const Attending& how) {
    if (seen.size() == 1)
        return attend(q_QHK.unsqueeze(0),
                      seen.front().keys_SGK.unsqueeze(0),
                      seen.front().values_SGK.unsqueeze(0),
                      how)
            .squeeze(0);
    std::int64_t queries = q_QHK.size(0), keys = 0;
    for (const KvCache::Kept& piece : seen)
        keys += piece.keys_SGK.size(0);
    std::int64_t block =
        std::clamp(kScoresAtOnce / (q_QHK.size(1) * keys), std::int64_t{1}, queries);
    std::vector<at::Tensor> blocks;
    for (std::int64_t begin = 0; begin < queries; begin += block)
        blocks.push_back(attend_block(q_QHK.narrow(0, begin, std::min(block, queries - begin)),
                                      seen,
                                      keys - queries + begin,
                                      how));
    return blocks.size() == 1 ? blocks.front() : at::cat(blocks, 0);
}

}  // namespace

at::Tensor attend_each(const at::Tensor& q_THK,
                       const std::vector<std::int64_t>& lengths,
                       const std::vector<Seen>& seen,
                       const Attending& how) {
    if (can_attend_on_cpu(q_THK, lengths, seen, how))
        return attend_on_cpu(q_THK, lengths, seen, how);
    std::vector<at::Tensor> pieces;
    std::int64_t begin = 0;
    for (std::size_t i = 0; i < lengths.size(); begin += lengths[i++])
        if (lengths[i] > 0)
            pieces.push_back(attend_pieces(q_THK.narrow(0, begin, lengths[i]), seen[i], how));
    return pieces.size() == 1 ? pieces.front() : at::cat(pieces, 0);
}

}  // namespace stillroom::lm
