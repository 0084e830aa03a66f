#include "plugins/lm/modules/attend_cpu.h"

#include "plugins/lm/kernels/softmax.h"
#include "plugins/lm/modules/fused.h"

#include <ATen/Parallel.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>

#include <algorithm>
#include <atomic>
#include <cstring>

// LibTorch's fused kernel multiplies tiles of 32 or 64 queries by one head's keys; its products run
// at a third of the speed of large ones.

namespace stillroom::lm {
namespace {

constexpr std::int64_t kBlockScores = 1 << 19;  // 2 MiB: they stay in a core's cache
constexpr std::int64_t kFewestQueries = 32, kMostQueries = 128;

std::int64_t keys_of(const Seen& seen) {
    std::int64_t keys = 0;
    for (const KvCache::Kept& piece : seen)
        keys += piece.keys_SGK.size(0);
    return keys;
}

/// Keys that a block of the most queries sees.
std::int64_t widest(std::int64_t keys, const Attending& how) {
    return how.window ? std::min(keys, *how.window + kMostQueries) : keys;
}

std::int64_t queries_a_block(std::int64_t queries,
                             std::int64_t keys,
                             std::int64_t heads,
                             const Attending& how) {
    return std::min({kMostQueries, queries, kBlockScores / (heads * widest(keys, how))});
}

/// A sequence's queries are rows [begin, begin + queries) of all, at the end of what it sees.
struct Reader {
    std::int64_t begin, queries, keys, block;
    const Seen& seen;
};

/// One block of queries of one sequence, for the heads of one key head.
class BlockOfHeads {
public:
    BlockOfHeads(const at::Tensor& q_THK,
                 const at::Tensor& out_THK,
                 const Attending& how,
                 std::int64_t heads,
                 std::int64_t rows,
                 std::int64_t scores)
        : q_(q_THK),
          out_(out_THK),
          how_(how),
          heads_(heads),
          dim_(q_.size(2)),
          packed_(at::empty({rows, dim_}, q_.options())),
          mixed_(at::empty({rows, dim_}, q_.options())),
          scores_(at::empty({scores}, q_.options())) {}

    void compute(const Reader& reader, std::int64_t group, std::int64_t begin, std::int64_t end) {
        std::int64_t queries = end - begin, first = reader.keys - reader.queries + begin;
        std::int64_t key_end = first + queries;
        std::int64_t key_begin =
            how_.window ? std::max<std::int64_t>(0, first + 1 - *how_.window) : 0;
        std::int64_t keys = key_end - key_begin;
        copy_heads(q_, packed_, reader.begin + begin, group, queries, /*into=*/true);
        at::Tensor q = packed_.narrow(0, 0, heads_ * queries);
        at::Tensor scores = scores_.narrow(0, 0, heads_ * queries * keys).view({-1, keys});
        for_pieces(reader.seen, key_begin, key_end, [&](const Part& part) {
            at::Tensor to = scores.narrow(1, part.column, part.keys);
            at::mm_out(to, q, part.of(part.piece.keys_SGK, group).t());
        });
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
        for_pieces(reader.seen, key_begin, key_end, [&](const Part& part) {
            at::Tensor shares = scores.narrow(1, part.column, part.keys);
            at::Tensor values = part.of(part.piece.values_SGK, group);
            if (part.column == 0)
                at::mm_out(mixed, shares, values);
            else
                at::addmm_out(mixed, mixed, shares, values);
        });
        copy_heads(out_, mixed_, reader.begin + begin, group, queries, /*into=*/false);
    }

private:
    /// Of one piece what a block sees.
    struct Part {
        const KvCache::Kept& piece;
        std::int64_t from, keys, column;

        at::Tensor of(const at::Tensor& x_SGK, std::int64_t group) const {
            return x_SGK.select(1, group).narrow(0, from, keys);
        }
    };

    template <class Do>
    static void for_pieces(const Seen& seen, std::int64_t begin, std::int64_t end, Do&& act) {
        std::int64_t first = 0;  // position of the piece's first key
        for (const KvCache::Kept& piece : seen) {
            std::int64_t last = first + piece.keys_SGK.size(0);
            std::int64_t from = std::max(first, begin), to = std::min(last, end);
            if (from < to)
                act(Part{piece, from - first, to - from, from - begin});
            first = last;
        }
    }

    /// Between [T, H, K] and the block's own [heads · queries, K].
    void copy_heads(const at::Tensor& x_THK,
                    const at::Tensor& block,
                    std::int64_t begin,
                    std::int64_t group,
                    std::int64_t queries,
                    bool into) const {
        auto* own = mutable_elements_of<float>(block);
        auto* all = mutable_elements_of<float>(x_THK) + group * heads_ * x_THK.stride(1);
        auto bytes = static_cast<std::size_t>(dim_) * sizeof(float);
        for (std::int64_t head = 0; head < heads_; head++)
            for (std::int64_t i = 0; i < queries; i++, own += dim_) {
                float* there = all + (begin + i) * x_THK.stride(0) + head * x_THK.stride(1);
                std::memcpy(into ? own : there, into ? there : own, bytes);
            }
    }

    const at::Tensor &q_, &out_;
    const Attending& how_;
    std::int64_t heads_, dim_;
    at::Tensor packed_, mixed_, scores_;
};

}  // namespace

bool can_attend_on_cpu(const at::Tensor& q_THK,
                       const std::vector<std::int64_t>& lengths,
                       const std::vector<Seen>& seen,
                       const Attending& how) {
    auto fit = [](const at::Tensor& x) {
        return x.is_cpu() && x.scalar_type() == at::kFloat && x.stride(2) == 1 &&
               needs_no_gradient(x);
    };
    if (how.cap || !fit(q_THK))
        return false;
    for (std::size_t i = 0; i < lengths.size(); i++) {
        if (lengths[i] == 0)
            continue;
        std::int64_t heads = q_THK.size(1) / seen[i].front().keys_SGK.size(1);
        std::int64_t fewest = std::min(lengths[i], kFewestQueries);
        if (heads * widest(keys_of(seen[i]), how) * fewest > kBlockScores)
            return false;
        for (const KvCache::Kept& piece : seen[i])
            if (!fit(piece.keys_SGK) || !fit(piece.values_SGK))
                return false;
    }
    return true;
}

at::Tensor attend_on_cpu(const at::Tensor& q_THK,
                         const std::vector<std::int64_t>& lengths,
                         const std::vector<Seen>& seen,
                         const Attending& how) {
    std::vector<Reader> readers;
    std::int64_t begin = 0, groups = 0, heads = 0, rows = 0, scores = 0;
    for (std::size_t i = 0; i < lengths.size(); begin += lengths[i++]) {
        if (lengths[i] == 0)
            continue;
        groups = seen[i].front().keys_SGK.size(1);
        heads = q_THK.size(1) / groups;
        std::int64_t keys = keys_of(seen[i]);
        std::int64_t block = queries_a_block(lengths[i], keys, heads, how);
        readers.push_back({begin, lengths[i], keys, block, seen[i]});
        rows = std::max(rows, heads * block);
        scores = std::max(scores, heads * block * widest(keys, how));
    }
    at::Tensor out_THK = at::empty(q_THK.sizes(), q_THK.options());
    std::int64_t tasks = std::ssize(readers) * groups;
    // Sequences differ in length: whoever has finished one takes the next.
    std::atomic<std::int64_t> next = 0;
    at::parallel_for(
        0,
        std::min<std::int64_t>(tasks, at::get_num_threads()),
        1,
        [&](std::int64_t, std::int64_t) {
            at::AutoDispatchBelowADInplaceOrView below;  // other threads know of no inference mode
            BlockOfHeads part(q_THK, out_THK, how, heads, rows, scores);
            for (std::int64_t task = next++; task < tasks; task = next++) {
                const Reader& reader = readers[static_cast<std::size_t>(task / groups)];
                for (std::int64_t at = 0; at < reader.queries; at += reader.block)
                    part.compute(
                        reader, task % groups, at, std::min(at + reader.block, reader.queries));
            }
        });
    return out_THK;
}

}  // namespace stillroom::lm
