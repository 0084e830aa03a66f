#include "plugins/lm/modules/head_engine.h"
#include "plugins/lm/modules/linear.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/exp.h>
#include <ATen/ops/log.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/where.h>

#include <algorithm>

// N rows of a chunk, V words, D hidden

namespace stillroom::lm {
namespace {

constexpr std::int64_t kRows = 2048;  // reading the weights again costs a tenth of a product

class OperatorEngine final : public HeadEngine {
public:
    OperatorEngine(const HeadBatch& batch, const HeadTerms& terms, std::int64_t words)
        : batch_(batch),
          terms_(terms),
          temperature_(terms.kl ? terms.kl->temperature : 1),
          words_(words) {}

    std::int64_t suitable_rows() const override { return kRows; }

    std::vector<RowSums> add_up(std::span<const std::int64_t> rows,
                                std::span<const std::int64_t> labels) override {
        rows_N_ = on_device(rows);
        s_NV_ = logits(batch_.student);
        auto [s_most_N, s_first_N] = s_NV_.max(1);
        at::Tensor power_NV = at::exp(s_NV_ - s_most_N.unsqueeze(1));
        at::Tensor s_sum_N = power_NV.sum(1, false, at::kDouble);
        at::Tensor t_most_N = s_most_N, t_first_N = s_first_N, t_sum_N = s_sum_N, cross_N;
        Divergence kind = HeadRows::sums_of(terms_);
        if (terms_.kl) {
            t_NV_ = logits(*batch_.teacher);
            std::tie(t_most_N, t_first_N) = t_NV_.max(1);
            at::Tensor more_NV = t_NV_ - s_NV_;
            if (kind == Divergence::reverse)
                cross_N = -(power_NV * more_NV).sum(1, false, at::kDouble);
            at::exp_out(power_NV, t_NV_ - t_most_N.unsqueeze(1));
            t_sum_N = power_NV.sum(1, false, at::kDouble);
            if (kind == Divergence::forward)
                cross_N = (power_NV * more_NV).sum(1, false, at::kDouble);
            else if (kind == Divergence::jsd)
                cross_N = (more_NV * 0).sum(1, false, at::kDouble);
        } else {
            cross_N = (s_NV_ * 0).sum(1, false, at::kDouble);
        }
        at::Tensor ce_sum_N = s_sum_N;
        if (temperature_ != 1)
            ce_sum_N =
                at::exp((s_NV_ - s_most_N.unsqueeze(1)) * temperature_).sum(1, false, at::kDouble);
        at::Tensor label_N = on_device(labels);
        at::Tensor label_logit_N = s_NV_.gather(1, label_N.clamp_min(0).unsqueeze(1))
                                       .squeeze(1)
                                       .masked_fill(label_N < 0, 0);
        return rows_of({t_most_N,
                        t_sum_N,
                        s_most_N,
                        s_sum_N,
                        cross_N,
                        ce_sum_N,
                        label_logit_N,
                        t_first_N,
                        s_first_N});
    }

    std::vector<std::vector<TopToken>> top_tokens() override {
        auto [t_NK, words_NK] = t_NV_.topk(std::min(terms_.kl->top_k, words_), 1);
        at::Tensor s_NK = s_NV_.gather(1, words_NK).cpu();
        at::Tensor t = t_NK.cpu(), words = words_NK.cpu();
        std::vector<std::vector<TopToken>> out(static_cast<std::size_t>(t.size(0)));
        std::int64_t i = 0;
        for (std::vector<TopToken>& row : out)
            for (std::int64_t k = 0; k < t.size(1); k++, i++)
                row.push_back({.word = batch_.shard.first + words.const_data_ptr<std::int64_t>()[i],
                               .t = t.const_data_ptr<float>()[i],
                               .s = s_NK.const_data_ptr<float>()[i]});
        return out;
    }

    MixtureSums add_up_mixture(const LaneSlopes& slopes) override {
        at::Tensor log_p_NV = t_NV_ - column(slopes.t_log), log_q_NV = s_NV_ - column(slopes.s_log);
        at::Tensor more_NV = log_p_NV - log_q_NV, share_NV = log_share(more_NV);
        auto numbers = [](const at::Tensor& sum_N) {
            at::Tensor sum = sum_N.cpu();
            const auto* first = sum.const_data_ptr<double>();
            return std::vector<double>(first, first + sum.numel());
        };
        return {
            .teacher = numbers((log_p_NV.exp() * (share_NV + more_NV)).sum(1, false, at::kDouble)),
            .student = numbers((log_q_NV.exp() * share_NV).sum(1, false, at::kDouble))};
    }

    void make_slopes(const HeadRows& chunk, const HeadSlopes& into) override {
        const LaneSlopes& slopes = chunk.slopes();
        at::Tensor log_q_NV = s_NV_ - column(slopes.s_log), d_NV;
        Divergence kind = HeadRows::slopes_of(terms_);
        if (kind == Divergence::reverse) {
            d_NV = (s_NV_ - t_NV_).mul_(column(slopes.ratio)).add_(column(slopes.student));
            d_NV.mul_(log_q_NV.exp_());
        } else if (kind == Divergence::jsd) {
            d_NV = log_share(t_NV_ - column(slopes.t_log) - log_q_NV);
            d_NV.mul_(column(slopes.ratio)).add_(column(slopes.student)).mul_(log_q_NV.exp_());
        } else {
            at::Tensor q_NV = log_q_NV.exp_();
            d_NV = q_NV * column(slopes.student);
            if (kind == Divergence::forward)
                d_NV.add_(
                    q_NV.sub_((t_NV_ - column(slopes.t_log)).exp_()).mul_(column(slopes.teacher)));
        }
        if (temperature_ != 1)
            d_NV.add_(
                ((s_NV_ - column(slopes.s_most)) * temperature_).exp_().mul_(column(slopes.plain)));
        patch(d_NV, chunk);
        if (auto cap = batch_.student.cap)
            d_NV.mul_(1 - (s_NV_ * (temperature_ / *cap)).square());
        for (std::size_t row : chunk.dead())
            d_NV.select(0, static_cast<std::int64_t>(row)).zero_();
        multiply(d_NV, into);
    }

private:
    template <class Numbers>
    at::Tensor on_device(const Numbers& numbers) const {
        at::Tensor out = at::empty({std::ssize(numbers)},
                                   sizeof(numbers[0]) == sizeof(float) ? at::kFloat : at::kLong);
        std::copy(numbers.begin(),
                  numbers.end(),
                  static_cast<std::remove_cvref_t<decltype(numbers[0])>*>(out.mutable_data_ptr()));
        return out.to(batch_.student.hidden_TD.device());
    }

    /// One number a row, of the rows that are there.
    at::Tensor column(const std::vector<float>& lanes) const {
        return on_device(lanes).narrow(0, 0, rows_N_.size(0)).unsqueeze(1);
    }

    at::Tensor logits(const HeadSide& side) const {
        at::Tensor x_ND = side.hidden_TD.index_select(0, rows_N_);
        at::Tensor out = at::mm(x_ND, side.weight_VD.narrow(0, 0, words_).t()).to(at::kFloat);
        if (side.cap)
            out.div_(*side.cap).tanh_().mul_(*side.cap);
        return temperature_ == 1 ? out : out.div_(temperature_);
    }

    /// ln(q/m) of ln p - ln q; the larger of p and q is taken out, so that no power overflows.
    at::Tensor log_share(const at::Tensor& more_NV) const {
        double beta = terms_.kl->beta;
        at::Tensor power_NV = more_NV.abs().neg_().exp_();
        power_NV.sub_(1);
        return at::where(more_NV < 0,
                         (power_NV * beta + 1).log_().neg_(),
                         (power_NV * (1 - beta) + 1).log_().neg_() - more_NV);
    }

    std::vector<RowSums> rows_of(const std::vector<at::Tensor>& columns) const {
        std::vector<at::Tensor> doubles;
        for (const at::Tensor& column : columns)
            doubles.push_back(column.to(at::kDouble));
        at::Tensor all = at::stack(doubles, 1).cpu();
        std::vector<RowSums> out(static_cast<std::size_t>(all.size(0)));
        const auto* from = all.const_data_ptr<double>();
        for (RowSums& row : out) {
            row = {.t_most = from[0],
                   .t_sum = from[1],
                   .s_most = from[2],
                   .s_sum = from[3],
                   .cross = from[4],
                   .ce_sum = from[5],
                   .label = from[6],
                   .t_first = batch_.shard.first + static_cast<std::int64_t>(from[7]),
                   .s_first = batch_.shard.first + static_cast<std::int64_t>(from[8])};
            from += columns.size();
        }
        return out;
    }

    void patch(const at::Tensor& d_NV, const HeadRows& chunk) const {
        for (bool replaces : {true, false}) {
            std::vector<std::int64_t> rows, words;
            std::vector<float> values;
            for (const Patch& one : chunk.patches()) {
                std::int64_t word = one.word - batch_.shard.first;
                if (one.replaces != replaces || word < 0 || word >= words_)
                    continue;
                rows.push_back(static_cast<std::int64_t>(one.lane));
                words.push_back(word);
                values.push_back(one.value);
            }
            if (!values.empty())
                d_NV.index_put_({on_device(rows), on_device(words)}, on_device(values), !replaces);
        }
    }

    void multiply(const at::Tensor& d_NV, const HeadSlopes& into) const {
        const HeadSide& side = batch_.student;
        at::Tensor weight_VD = side.weight_VD.narrow(0, 0, words_);
        at::Tensor slopes_NV = d_NV.to(weight_VD.scalar_type());
        into.hidden_TD.index_copy_(
            0, rows_N_, at::mm(slopes_NV, weight_VD).to(into.hidden_TD.scalar_type()));
        if (!into.weight_VD.defined())
            return;
        add_product(into.weight_VD.narrow(0, 0, words_),
                    slopes_NV.t(),
                    side.hidden_TD.index_select(0, rows_N_));
    }

    const HeadBatch& batch_;
    const HeadTerms& terms_;
    double temperature_;
    std::int64_t words_;
    at::Tensor rows_N_, t_NV_, s_NV_;  // of the chunk at hand
};

}  // namespace

std::unique_ptr<HeadEngine> operator_head_engine(const HeadBatch& batch,
                                                 const HeadTerms& terms,
                                                 std::int64_t words) {
    return std::make_unique<OperatorEngine>(batch, terms, words);
}

}  // namespace stillroom::lm
