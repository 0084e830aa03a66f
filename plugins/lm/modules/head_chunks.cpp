#include "plugins/lm/modules/head_engine.h"

#include <ATen/ops/empty.h>

#include <algorithm>

// A chunk's way between its two passes, the same on every device: what ranks that share the
// vocabulary found comes together, then the rows' losses and slopes are known.

namespace stillroom::lm {
namespace {

std::size_t size(std::int64_t value) {
    return static_cast<std::size_t>(value);
}

class Chunk {
public:
    Chunk(const HeadBatch& batch, const HeadTerms& terms)
        : batch_(batch),
          terms_(terms),
          kind_(HeadRows::sums_of(terms)) {}

    /// Of all ranks.
    std::vector<RowSums> merged(std::vector<RowSums> rows) const {
        if (!batch_.shard.all_gather)
            return rows;
        constexpr std::size_t kNumbers = 9;
        std::vector<double> own;
        own.reserve(rows.size() * kNumbers);
        for (const RowSums& row : rows)
            own.insert(own.end(),
                       {row.t_most,
                        row.t_sum,
                        row.s_most,
                        row.s_sum,
                        row.cross,
                        row.ce_sum,
                        row.label,
                        static_cast<double>(row.t_first),
                        static_cast<double>(row.s_first)});
        std::vector<double> all = gathered(own);
        std::fill(rows.begin(), rows.end(), RowSums{});
        for (std::size_t i = 0; i < all.size() / kNumbers; i++) {
            const double* from = all.data() + i * kNumbers;
            rows[i % rows.size()].merge({.t_most = from[0],
                                         .t_sum = from[1],
                                         .s_most = from[2],
                                         .s_sum = from[3],
                                         .cross = from[4],
                                         .ce_sum = from[5],
                                         .label = from[6],
                                         .t_first = static_cast<std::int64_t>(from[7]),
                                         .s_first = static_cast<std::int64_t>(from[8])},
                                        kind_,
                                        terms_.kl ? terms_.kl->temperature : 1);
        }
        return rows;
    }

    std::vector<std::vector<TopToken>> merged(std::vector<std::vector<TopToken>> rows) const {
        if (!batch_.shard.all_gather)
            return rows;
        std::size_t most = size(terms_.kl->top_k);
        std::vector<double> own;
        own.reserve(rows.size() * most * 3);
        for (std::vector<TopToken>& row : rows) {
            row.resize(most);  // what a short shard lacks is word -1
            for (const TopToken& token : row)
                own.insert(own.end(),
                           {static_cast<double>(token.word), double{token.t}, double{token.s}});
            row.clear();
        }
        std::vector<double> all = gathered(own);
        for (std::size_t i = 0; i < all.size() / 3; i++)
            if (all[3 * i] >= 0)
                rows[i / most % rows.size()].push_back(
                    {.word = static_cast<std::int64_t>(all[3 * i]),
                     .t = static_cast<float>(all[3 * i + 1]),
                     .s = static_cast<float>(all[3 * i + 2])});
        return rows;
    }

    MixtureSums merged(MixtureSums sums) const {
        if (!batch_.shard.all_gather)
            return sums;
        std::vector<double> own = sums.teacher;
        own.insert(own.end(), sums.student.begin(), sums.student.end());
        std::vector<double> all = gathered(own);
        std::size_t rows = sums.teacher.size();
        sums = {.teacher = std::vector<double>(rows), .student = std::vector<double>(rows)};
        for (std::size_t i = 0; i < all.size(); i++)
            (i % (2 * rows) < rows ? sums.teacher : sums.student)[i % rows] += all[i];
        return sums;
    }

private:
    std::vector<double> gathered(const std::vector<double>& own) const {
        at::Tensor mine = at::empty({std::ssize(own)}, at::kDouble);
        std::copy(own.begin(), own.end(), mine.mutable_data_ptr<double>());
        at::Tensor all = batch_.shard.all_gather(mine).contiguous();
        const auto* first = all.const_data_ptr<double>();
        return {first, first + all.numel()};
    }

    const HeadBatch& batch_;
    const HeadTerms& terms_;
    Divergence kind_;
};

void add(HeadSums& to, const HeadSums& more) {
    to.rows += more.rows;
    to.kl += more.kl;
    to.ce += more.ce;
    to.agreeing += more.agreeing;
    to.nonfinite += more.nonfinite;
}

}  // namespace

HeadSums run_chunks(HeadEngine& engine,
                    const HeadBatch& batch,
                    const HeadTerms& terms,
                    std::span<const std::int64_t> rows,
                    const HeadSlopes* slopes) {
    HeadSums out;
    Chunk chunk(batch, terms);
    const auto* labels = batch.labels_T.const_data_ptr<std::int64_t>();
    std::int64_t words = batch.student.weight_VD.size(0);
    std::size_t most = size(batch.rows_at_once > 0 ? batch.rows_at_once : engine.suitable_rows());
    for (std::size_t begin = 0; begin < rows.size(); begin += most) {
        std::span<const std::int64_t> part =
            rows.subspan(begin, std::min(most, rows.size() - begin));
        std::vector<std::int64_t> all_labels, own_labels;
        for (std::int64_t row : part) {
            std::int64_t own = labels[row] - batch.shard.first;
            all_labels.push_back(labels[row]);
            own_labels.push_back(own >= 0 && own < words ? own : -1);
        }
        HeadRows chunk_rows(
            terms, std::move(all_labels), slopes != nullptr ? &slopes->scale : nullptr);
        chunk_rows.finish(chunk.merged(engine.add_up(part, own_labels)));
        if (terms.kl && terms.kl->top_k > 0)
            chunk_rows.finish_top(chunk.merged(engine.top_tokens()));
        else if (terms.kl && terms.kl->direction == Divergence::jsd)
            chunk_rows.finish_mixture(chunk.merged(engine.add_up_mixture(chunk_rows.slopes())));
        if (slopes != nullptr)
            engine.make_slopes(chunk_rows, *slopes);
        add(out, chunk_rows.sums());
    }
    engine.finish();
    return out;
}

}  // namespace stillroom::lm
