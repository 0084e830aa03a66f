#include "plugins/lm/modules/head_rows.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace stillroom::lm {
namespace {

/// What top_k leaves out is at least this: the difference from 1 of a sum in fp32 is no better.
constexpr double kLeastTail = 1e-8;

}  // namespace

HeadRows::HeadRows(const HeadTerms& terms, std::vector<std::int64_t> labels, const double* scale)
    : terms_(terms),
      labels_(std::move(labels)),
      temperature_(terms.kl ? terms.kl->temperature : 1),
      kl_scale_(scale != nullptr && terms.kl ? *scale * terms.kl->weight / temperature_ : 0),
      ce_scale_(scale != nullptr ? *scale * terms.ce_weight : 0),
      slopes_((labels_.size() + kLaneStep - 1) / kLaneStep * kLaneStep) {
    if (terms.kl && terms.kl->scale_t2)
        kl_scale_ *= temperature_ * temperature_;
    sums_.rows = static_cast<std::int64_t>(labels_.size());
}

Divergence HeadRows::sums_of(const HeadTerms& terms) {
    if (!terms.kl)
        return Divergence::student;
    return terms.kl->top_k > 0 ? Divergence::jsd : terms.kl->direction;
}

Divergence HeadRows::slopes_of(const HeadTerms& terms) {
    return !terms.kl || terms.kl->top_k > 0 ? Divergence::student : terms.kl->direction;
}

void HeadRows::finish(const std::vector<RowSums>& rows) {
    rows_ = rows;
    for (std::size_t lane = 0; lane < rows.size(); lane++) {
        const RowSums& row = rows[lane];
        slopes_.s_log[lane] = static_cast<float>(row.s_log());
        slopes_.s_most[lane] = static_cast<float>(row.s_most);
        if (!terms_.kl) {
            take(lane, 0);
            set_slopes(lane, 0, 0, 0);
            continue;
        }
        slopes_.t_log[lane] = static_cast<float>(row.t_log());
        if (terms_.kl->top_k > 0)
            continue;
        double logs = row.s_log() - row.t_log();
        if (terms_.kl->direction == Divergence::forward) {
            take(lane, row.cross / row.t_sum + logs);
            set_slopes(lane, 0, kl_scale_, 0);
        } else if (terms_.kl->direction == Divergence::reverse) {
            double kl = row.cross / row.s_sum - logs;
            take(lane, kl);
            set_slopes(lane, -kl_scale_ * (logs + kl), 0, kl_scale_);
        }
    }
}

void HeadRows::finish_mixture(const MixtureSums& sums) {
    double beta = terms_.kl->beta;
    for (std::size_t lane = 0; lane < rows_.size(); lane++) {
        take(lane, beta * sums.teacher[lane] + (1 - beta) * sums.student[lane]);
        double ratio = kl_scale_ * (1 - beta);
        set_slopes(lane, -ratio * sums.student[lane], 0, ratio);
    }
}

void HeadRows::finish_top(std::vector<std::vector<TopToken>> rows) {
    for (std::size_t lane = 0; lane < rows.size(); lane++)
        take(lane, top_loss(lane, rows[lane]));
}

std::vector<Patch> HeadRows::patches() const {
    std::vector<Patch> out = patches_;
    std::stable_sort(out.begin(), out.end(), [](const Patch& a, const Patch& b) {
        return a.word != b.word ? a.word < b.word : a.replaces && !b.replaces;
    });
    return out;
}

double HeadRows::top_loss(std::size_t lane, std::vector<TopToken>& tokens) {
    const KlTerm& kl = *terms_.kl;
    const RowSums& row = rows_[lane];
    keep_top(tokens, static_cast<std::size_t>(kl.top_k));
    // A small vocabulary of its own: the words, and the rest as one more.
    std::vector<double> t, s;
    double t_rest = 1, s_rest = 1;
    for (const TopToken& token : tokens) {
        if (t.size() >= static_cast<std::size_t>(kl.top_p_min_k) && 1 - t_rest >= kl.top_p)
            break;
        t.push_back(double{token.t});
        s.push_back(double{token.s});
        t_rest -= std::exp(t.back() - row.t_log());
        s_rest -= std::exp(s.back() - row.s_log());
    }
    std::size_t words = t.size();
    s_rest = std::max(s_rest, kLeastTail);
    if (kl.tail == Tail::bucket) {
        t.push_back(row.t_log() + std::log(std::max(t_rest, kLeastTail)));
        s.push_back(row.s_log() + std::log(s_rest));
    }
    std::vector<double> slopes(t.size());
    double loss = std::isfinite(row.cross) ? divergence_of(kl.direction, kl.beta, t, s, slopes)
                                           : std::numeric_limits<double>::quiet_NaN();
    double outside = kl.tail == Tail::bucket ? kl_scale_ * slopes.back() / s_rest : 0;
    set_slopes(lane, outside, 0, 0);
    if (!std::isfinite(loss) || (kl_scale_ == 0 && ce_scale_ == 0))
        return loss;
    for (std::size_t i = 0; i < words; i++) {
        double q = temperature_ == 1 ? std::exp(s[i] - row.s_log())
                                     : std::exp(temperature_ * (s[i] - row.s_most)) / row.ce_sum;
        patches_.push_back({.word = tokens[i].word,
                            .lane = lane,
                            .value = static_cast<float>(kl_scale_ * slopes[i] + ce_scale_ * q),
                            .replaces = true});
    }
    return loss;
}

void HeadRows::take(std::size_t lane, double kl) {
    const RowSums& row = rows_[lane];
    double ce = std::log(row.ce_sum) + temperature_ * (row.s_most - row.label);
    sums_.kl += terms_.kl && terms_.kl->scale_t2 ? kl * temperature_ * temperature_ : kl;
    sums_.ce += ce;
    sums_.agreeing += row.s_first == (terms_.kl ? row.t_first : labels_[lane]) ? 1 : 0;
    if (std::isfinite(kl) && std::isfinite(ce) && std::isfinite(row.cross)) {
        if (ce_scale_ != 0)
            patches_.push_back(
                {.word = labels_[lane], .lane = lane, .value = static_cast<float>(-ce_scale_)});
        return;
    }
    sums_.nonfinite++;
    sums_.kl = sums_.ce = std::numeric_limits<double>::quiet_NaN();
    dead_.push_back(lane);
}

void HeadRows::set_slopes(std::size_t lane, double student, double teacher, double ratio) {
    slopes_.teacher[lane] = static_cast<float>(teacher);
    slopes_.ratio[lane] = static_cast<float>(ratio);
    bool same = temperature_ == 1;
    slopes_.student[lane] = static_cast<float>(student + (same ? ce_scale_ : 0));
    slopes_.plain[lane] = static_cast<float>(same ? 0 : ce_scale_ / rows_[lane].ce_sum);
}

}  // namespace stillroom::lm
