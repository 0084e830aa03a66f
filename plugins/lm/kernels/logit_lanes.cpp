#include "plugins/lm/kernels/logit_lanes.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace stillroom::lm {
namespace {

/// Pointers to what the loops read and write, of all lanes.
struct SumBlock {
    const float *t, *s;
    std::size_t words, lanes;
    float temperature;
    float *t_most, *s_most, *t_sum, *s_sum, *cross, *ce_sum;
    float *t_powers, *s_powers;  // kept
};

template <class Floats>
STILLROOM_INLINE void raise_most(const float* x,
                                 std::size_t words,
                                 std::size_t lanes,
                                 float* most) {
    Floats largest, y;
    load(largest, most);
    for (std::size_t w = 0; w < words; w++) {
        load(y, x + w * lanes);
        largest = y > largest ? y : largest;
    }
    store(most, largest);
}

template <class Floats, Divergence Kind, bool Keeps>
STILLROOM_INLINE void sums_body(const SumBlock& b) {
    for (std::size_t lane = 0; lane < b.lanes; lane += kLanes<Floats>) {
        const float* t = b.t + (Kind == Divergence::student ? 0 : lane);
        const float* s = b.s + lane;
        raise_most<Floats>(s, b.words, b.lanes, b.s_most + lane);
        Floats t_most = Floats{}, s_most, t_sum = Floats{}, s_sum = Floats{}, cross = Floats{};
        load(s_most, b.s_most + lane);
        if constexpr (Kind != Divergence::student) {
            raise_most<Floats>(t, b.words, b.lanes, b.t_most + lane);
            load(t_most, b.t_most + lane);
        }
        for (std::size_t w = 0; w < b.words; w++) {
            Floats x, y, power;
            load(y, s + w * b.lanes);
            power = y - s_most;
            exponential_below(power);
            s_sum += power;
            if constexpr (Keeps)
                store(b.s_powers + w * b.lanes + lane, power);
            if constexpr (Kind == Divergence::student) {
                cross += y * 0.0F;  // NaN where a logit is none
            } else {
                load(x, t + w * b.lanes);
                if constexpr (Kind == Divergence::reverse)
                    cross += power * (y - x);
                power = x - t_most;
                exponential_below(power);
                t_sum += power;
                if constexpr (Keeps)
                    store(b.t_powers + w * b.lanes + lane, power);
                if constexpr (Kind == Divergence::forward)
                    cross += power * (x - y);
                if constexpr (Kind == Divergence::jsd)
                    cross += (x - y) * 0.0F;
            }
        }
        store(b.s_sum + lane, s_sum);
        store(b.t_sum + lane, t_sum);
        store(b.cross + lane, cross);
        if (b.temperature == 1.0F) {
            store(b.ce_sum + lane, s_sum);
            continue;
        }
        Floats ce_sum = Floats{};
        for (std::size_t w = 0; w < b.words; w++) {
            Floats y;
            load(y, s + w * b.lanes);
            y = (y - s_most) * b.temperature;
            exponential_below(y);
            ce_sum += y;
        }
        store(b.ce_sum + lane, ce_sum);
    }
}

struct SlopeBlock {
    const LaneSlopes* slopes;
    const float *t, *s;
    float* d;
    std::size_t words, lanes;
    float beta, temperature;
};

/// ln(q/m) of the difference ln p - ln q, m = β·p + (1 - β)·q. The larger of p and q is taken out,
/// so that no power overflows.
template <class Floats>
STILLROOM_INLINE void log_share(Floats& x, float beta) {
    auto below = x < 0.0F;
    Floats power = below ? x : -x;
    exponential_below(power);
    Floats mixed = (power - 1.0F) * (below ? Floats{} + beta : Floats{} + (1 - beta)) + 1.0F;
    logarithm(mixed);
    x = below ? -mixed : -mixed - x;
}

template <class Floats, Divergence Kind>
STILLROOM_INLINE void slopes_body(const SlopeBlock& b) {
    const LaneSlopes& slopes = *b.slopes;
    for (std::size_t lane = 0; lane < b.lanes; lane += kLanes<Floats>) {
        Floats t_log, s_log, s_most, teacher, student, ratio, plain;
        load(t_log, slopes.t_log.data() + lane);
        load(s_log, slopes.s_log.data() + lane);
        load(teacher, slopes.teacher.data() + lane);
        load(student, slopes.student.data() + lane);
        load(ratio, slopes.ratio.data() + lane);
        load(plain, slopes.plain.data() + lane);
        load(s_most, slopes.s_most.data() + lane);
        for (std::size_t at = lane; at < b.words * b.lanes; at += b.lanes) {
            Floats x, y, d, q;
            load(y, b.s + at);
            q = y - s_log;
            Floats log_q = q;
            exponential_below(q);
            if constexpr (Kind == Divergence::student) {
                d = q * student;
            } else {
                load(x, b.t + at);
                if constexpr (Kind == Divergence::forward) {
                    x -= t_log;
                    exponential_below(x);
                    d = (q - x) * teacher + q * student;  // 0 where p is q
                } else if constexpr (Kind == Divergence::reverse) {
                    d = q * (student + ratio * (y - x));
                } else {
                    x = (x - t_log) - log_q;
                    log_share(x, b.beta);
                    d = q * (student + ratio * x);
                }
            }
            if (b.temperature != 1.0F) {
                y = (y - s_most) * b.temperature;
                exponential_below(y);
                d += y * plain;
            }
            store(b.d + at, d);
        }
    }
}

struct PowerBlock {
    const LaneSlopes* slopes;
    LanePowers powers;
    float* d;
    std::size_t words, lanes;
};

template <class Floats, Divergence Kind>
STILLROOM_INLINE void power_slopes_body(const PowerBlock& b) {
    for (std::size_t lane = 0; lane < b.lanes; lane += kLanes<Floats>) {
        Floats log, p_share = Floats{}, q_share, teacher, student;
        load(q_share, b.powers.s_most + lane);
        load(log, b.slopes->s_log.data() + lane);
        q_share -= log;
        exponential_below(q_share);
        if constexpr (Kind == Divergence::forward) {
            load(p_share, b.powers.t_most + lane);
            load(log, b.slopes->t_log.data() + lane);
            p_share -= log;
            exponential_below(p_share);
        }
        load(teacher, b.slopes->teacher.data() + lane);
        load(student, b.slopes->student.data() + lane);
        for (std::size_t at = lane; at < b.words * b.lanes; at += b.lanes) {
            Floats p, q, d;
            load(q, b.powers.s + at);
            q = __builtin_assoc_barrier(q * q_share);
            d = q * student;
            if constexpr (Kind == Divergence::forward) {
                load(p, b.powers.t + at);
                p = __builtin_assoc_barrier(p * p_share);
                d += (q - p) * teacher;  // 0 where p is q, as neither product joins the difference
            }
            store(b.d + at, d);
        }
    }
}

struct MixtureBlock {
    const LaneSlopes* slopes;
    const float *t, *s;
    std::size_t words, lanes;
    float beta;
    double *t_sums, *s_sums;
};

template <class Floats>
STILLROOM_INLINE void mixture_body(const MixtureBlock& b) {
    for (std::size_t lane = 0; lane < b.lanes; lane += kLanes<Floats>) {
        Floats t_log, s_log, t_sum = Floats{}, s_sum = Floats{};
        load(t_log, b.slopes->t_log.data() + lane);
        load(s_log, b.slopes->s_log.data() + lane);
        for (std::size_t at = lane; at < b.words * b.lanes; at += b.lanes) {
            Floats x, y;
            load(x, b.t + at);
            load(y, b.s + at);
            x -= t_log;
            y -= s_log;
            Floats more = x - y, share = more;
            log_share(share, b.beta);
            exponential_below(x);
            exponential_below(y);
            s_sum += y * share;
            t_sum += x * (share + more);
        }
        float sums[kLanes<Floats>];
        store(sums, t_sum);
        for (std::size_t i = 0; i < kLanes<Floats>; i++)
            b.t_sums[lane + i] += double{sums[i]};
        store(sums, s_sum);
        for (std::size_t i = 0; i < kLanes<Floats>; i++)
            b.s_sums[lane + i] += double{sums[i]};
    }
}

/// tanh of half of x: 1 - 2/(e^x + 1).
template <class Floats>
STILLROOM_INLINE void tanh_of_half(Floats& x) {
    exponential(x);
    x = 1.0F - 2.0F / (x + 1.0F);
}

template <class Floats>
STILLROOM_INLINE void cap_body(float* x, std::size_t count, float cap, float temperature) {
    for (std::size_t i = 0; i < count; i += kLanes<Floats>) {
        Floats y;
        load(y, x + i);
        y *= 2.0F / cap;
        tanh_of_half(y);
        y *= cap / temperature;
        store(x + i, y);
    }
}

template <class Floats>
STILLROOM_INLINE void uncap_body(const float* capped, float* d, std::size_t count, float share) {
    for (std::size_t i = 0; i < count; i += kLanes<Floats>) {
        Floats y, slope;
        load(y, capped + i);
        load(slope, d + i);
        y *= share;
        slope *= 1.0F - y * y;
        store(d + i, slope);
    }
}

// The macro takes a template of the vector alone.
template <class F>
STILLROOM_INLINE void forward_sums(const SumBlock& b) {
    sums_body<F, Divergence::forward, false>(b);
}
template <class F>
STILLROOM_INLINE void forward_powers(const SumBlock& b) {
    sums_body<F, Divergence::forward, true>(b);
}
template <class F>
STILLROOM_INLINE void reverse_sums(const SumBlock& b) {
    sums_body<F, Divergence::reverse, false>(b);
}
template <class F>
STILLROOM_INLINE void jsd_sums(const SumBlock& b) {
    sums_body<F, Divergence::jsd, false>(b);
}
template <class F>
STILLROOM_INLINE void student_sums(const SumBlock& b) {
    sums_body<F, Divergence::student, false>(b);
}
template <class F>
STILLROOM_INLINE void student_powers(const SumBlock& b) {
    sums_body<F, Divergence::student, true>(b);
}
template <class F>
STILLROOM_INLINE void forward_slopes(const SlopeBlock& b) {
    slopes_body<F, Divergence::forward>(b);
}
template <class F>
STILLROOM_INLINE void forward_power_slopes(const PowerBlock& b) {
    power_slopes_body<F, Divergence::forward>(b);
}
template <class F>
STILLROOM_INLINE void reverse_slopes(const SlopeBlock& b) {
    slopes_body<F, Divergence::reverse>(b);
}
template <class F>
STILLROOM_INLINE void jsd_slopes(const SlopeBlock& b) {
    slopes_body<F, Divergence::jsd>(b);
}
template <class F>
STILLROOM_INLINE void student_slopes(const SlopeBlock& b) {
    slopes_body<F, Divergence::student>(b);
}
template <class F>
STILLROOM_INLINE void student_power_slopes(const PowerBlock& b) {
    power_slopes_body<F, Divergence::student>(b);
}

STILLROOM_TIERS(forward_sums_lanes, (const SumBlock& b), forward_sums, (b))
STILLROOM_TIERS(forward_power_lanes, (const SumBlock& b), forward_powers, (b))
STILLROOM_TIERS(reverse_sums_lanes, (const SumBlock& b), reverse_sums, (b))
STILLROOM_TIERS(jsd_sums_lanes, (const SumBlock& b), jsd_sums, (b))
STILLROOM_TIERS(student_sums_lanes, (const SumBlock& b), student_sums, (b))
STILLROOM_TIERS(student_power_lanes, (const SumBlock& b), student_powers, (b))
STILLROOM_TIERS(forward_slope_lanes, (const SlopeBlock& b), forward_slopes, (b))
STILLROOM_TIERS(forward_power_slope_lanes, (const PowerBlock& b), forward_power_slopes, (b))
STILLROOM_TIERS(reverse_slope_lanes, (const SlopeBlock& b), reverse_slopes, (b))
STILLROOM_TIERS(jsd_slope_lanes, (const SlopeBlock& b), jsd_slopes, (b))
STILLROOM_TIERS(student_slope_lanes, (const SlopeBlock& b), student_slopes, (b))
STILLROOM_TIERS(student_power_slope_lanes, (const PowerBlock& b), student_power_slopes, (b))
STILLROOM_TIERS(mixture_lanes, (const MixtureBlock& b), mixture_body, (b))
STILLROOM_TIERS(cap_lanes,
                (float* x, std::size_t count, float cap, float temperature),
                cap_body,
                (x, count, cap, temperature))
STILLROOM_TIERS(uncap_lanes,
                (const float* capped, float* d, std::size_t count, float share),
                uncap_body,
                (capped, d, count, share))

}  // namespace

LaneSums::LaneSums(std::size_t lanes, Divergence divergence, double temperature)
    : lanes_(lanes),
      divergence_(divergence),
      temperature_(temperature),
      t_most_(lanes, -std::numeric_limits<float>::infinity()),
      s_most_(t_most_),
      t_sum_(lanes),
      s_sum_(lanes),
      cross_(lanes),
      ce_sum_(lanes),
      rows_(lanes) {}

void LaneSums::add(Tier tier,
                   const float* t,
                   const float* s,
                   std::size_t words,
                   std::int64_t first_word,
                   const LanePowers* powers) {
    SumBlock block{.t = t,
                   .s = s,
                   .words = words,
                   .lanes = lanes_,
                   .temperature = static_cast<float>(temperature_),
                   .t_most = t_most_.data(),
                   .s_most = s_most_.data(),
                   .t_sum = t_sum_.data(),
                   .s_sum = s_sum_.data(),
                   .cross = cross_.data(),
                   .ce_sum = ce_sum_.data(),
                   .t_powers = powers != nullptr ? powers->t : nullptr,
                   .s_powers = powers != nullptr ? powers->s : nullptr};
    switch (divergence_) {
        case Divergence::forward:
            (powers != nullptr ? forward_power_lanes_of(tier) : forward_sums_lanes_of(tier))(block);
            break;
        case Divergence::reverse:
            reverse_sums_lanes_of(tier)(block);
            break;
        case Divergence::jsd:
            jsd_sums_lanes_of(tier)(block);
            break;
        case Divergence::student:
            (powers != nullptr ? student_power_lanes_of(tier) : student_sums_lanes_of(tier))(block);
            break;
    }
    if (powers != nullptr) {
        std::copy(s_most_.begin(), s_most_.end(), powers->s_most);
        if (divergence_ == Divergence::forward)
            std::copy(t_most_.begin(), t_most_.end(), powers->t_most);
    }
    merge_block(t, s, words, first_word);
}

void LaneSums::merge_block(const float* t,
                           const float* s,
                           std::size_t words,
                           std::int64_t first_word) {
    auto first_of = [&](const float* x, std::size_t lane, float most) {
        std::size_t word = 0;
        while (word + 1 < words && x[word * lanes_ + lane] != most)
            word++;
        return first_word + static_cast<std::int64_t>(word);
    };
    for (std::size_t lane = 0; lane < lanes_; lane++) {
        // The loops counted from the largest so far, this block's words among them.
        RowSums& row = rows_[lane];
        RowSums block{.t_most = double{t_most_[lane]},
                      .t_sum = double{t_sum_[lane]},
                      .s_most = double{s_most_[lane]},
                      .s_sum = double{s_sum_[lane]},
                      .cross = double{cross_[lane]},
                      .ce_sum = double{ce_sum_[lane]}};
        if (block.t_most > row.t_most)
            block.t_first = first_of(t, lane, t_most_[lane]);
        if (block.s_most > row.s_most)
            block.s_first = first_of(s, lane, s_most_[lane]);
        row.merge(block, divergence_, temperature_);
    }
}

RowSums LaneSums::row(std::size_t lane) const {
    return rows_[lane];
}

LaneSlopes::LaneSlopes(std::size_t lanes)
    : t_log(lanes),
      s_log(lanes),
      teacher(lanes),
      student(lanes),
      ratio(lanes),
      s_most(lanes),
      plain(lanes) {}

void slope_block(Tier tier,
                 Divergence divergence,
                 const LaneSlopes& slopes,
                 double beta,
                 double temperature,
                 const float* t,
                 const float* s,
                 float* d,
                 std::size_t words) {
    SlopeBlock block{.slopes = &slopes,
                     .t = t,
                     .s = s,
                     .d = d,
                     .words = words,
                     .lanes = slopes.t_log.size(),
                     .beta = static_cast<float>(beta),
                     .temperature = static_cast<float>(temperature)};
    switch (divergence) {
        case Divergence::forward:
            forward_slope_lanes_of(tier)(block);
            break;
        case Divergence::reverse:
            reverse_slope_lanes_of(tier)(block);
            break;
        case Divergence::jsd:
            jsd_slope_lanes_of(tier)(block);
            break;
        case Divergence::student:
            student_slope_lanes_of(tier)(block);
            break;
    }
}

void power_slope_block(Tier tier,
                       Divergence divergence,
                       const LaneSlopes& slopes,
                       const LanePowers& powers,
                       float* d,
                       std::size_t words) {
    PowerBlock block{
        .slopes = &slopes, .powers = powers, .d = d, .words = words, .lanes = slopes.t_log.size()};
    if (divergence == Divergence::forward)
        forward_power_slope_lanes_of(tier)(block);
    else
        student_power_slope_lanes_of(tier)(block);
}

void mixture_block(Tier tier,
                   const LaneSlopes& slopes,
                   double beta,
                   const float* t,
                   const float* s,
                   std::size_t words,
                   std::span<double> t_sums,
                   std::span<double> s_sums) {
    mixture_lanes_of(tier)({.slopes = &slopes,
                            .t = t,
                            .s = s,
                            .words = words,
                            .lanes = slopes.t_log.size(),
                            .beta = static_cast<float>(beta),
                            .t_sums = t_sums.data(),
                            .s_sums = s_sums.data()});
}

void cap_block(Tier tier, float* x, std::size_t count, double cap, double temperature) {
    cap_lanes_of(tier)(x, count, static_cast<float>(cap), static_cast<float>(temperature));
}

void uncap_block(
    Tier tier, const float* capped, float* d, std::size_t count, double cap, double temperature) {
    uncap_lanes_of(tier)(capped, d, count, static_cast<float>(temperature / cap));
}

double divergence_of(Divergence divergence,
                     double beta,
                     std::span<const double> t,
                     std::span<const double> s,
                     std::span<double> slopes) {
    auto log_sum = [](std::span<const double> x) {
        double most = *std::max_element(x.begin(), x.end()), sum = 0;
        for (double value : x)
            sum += std::exp(value - most);
        return most + std::log(sum);
    };
    double s_log = log_sum(s);
    if (divergence == Divergence::student) {
        for (std::size_t i = 0; i < slopes.size(); i++)
            slopes[i] = std::exp(s[i] - s_log);
        return s_log;
    }
    double t_log = log_sum(t), loss = 0, total = 0;
    for (std::size_t i = 0; i < s.size(); i++) {
        double log_p = t[i] - t_log, log_q = s[i] - s_log;
        double p = std::exp(log_p), q = std::exp(log_q);
        double worth = 0;  // q times what a little more of it would cost, up to a multiple of q
        if (divergence == Divergence::forward) {
            loss += p * (log_p - log_q);
            worth = -p;
        } else if (divergence == Divergence::reverse) {
            worth = q * (log_q - log_p);
            loss += worth;
        } else {
            double log_m = std::log(beta * p + (1 - beta) * q);
            worth = (1 - beta) * q * (log_q - log_m);
            loss += beta * p * (log_p - log_m) + worth;
        }
        total += worth;
        if (!slopes.empty())
            slopes[i] = worth;
    }
    for (std::size_t i = 0; i < slopes.size(); i++)
        slopes[i] -= total * std::exp(s[i] - s_log);
    return loss;
}

}  // namespace stillroom::lm
