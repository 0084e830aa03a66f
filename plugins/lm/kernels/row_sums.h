#pragma once

#include <cmath>
#include <cstdint>
#include <limits>

/// Compiled for the processor and, by nvcc, for a device too.
#ifdef __CUDACC__
#define STILLROOM_EVERYWHERE __host__ __device__
#else
#define STILLROOM_EVERYWHERE
#endif

namespace stillroom::lm {

/// What is compared; `student` looks at s alone.
enum class Divergence : std::uint8_t { forward, reverse, jsd, student };

/// What a part of the vocabulary says of a row.
struct RowSums {
    static constexpr double kNothing = -std::numeric_limits<double>::infinity();
    double t_most = kNothing, t_sum = 0;  ///< the largest t, and the sum of e^(t - t_most)
    double s_most = kNothing, s_sum = 0;
    double cross = 0;  ///< forward: of e^(t - t_most)·(t - s); reverse: of e^(s - s_most)·(s - t)
    double ce_sum = 0;  ///< of e^(τ·(s - s_most)): what cross entropy is over
    double label = 0;   ///< s of the label, where it is among these words
    std::int64_t t_first = -1, s_first = -1;  ///< the word of the largest; the lowest of several

    /// In any order of the parts.
    STILLROOM_EVERYWHERE void merge(const RowSums& other,
                                    Divergence divergence,
                                    double temperature) {
        join(t_most, t_sum, other.t_most, other.t_sum, 1);
        join(s_most, s_sum, other.s_most, other.s_sum, 1);
        join(s_most, ce_sum, other.s_most, other.ce_sum, temperature);
        label += other.label;
        if (divergence == Divergence::forward)
            join(t_most, cross, other.t_most, other.cross, 1);
        else
            join(s_most, cross, other.s_most, other.cross, 1);
        raise(t_most, t_first, other.t_most, other.t_first);
        raise(s_most, s_first, other.s_most, other.s_first);
    }

    double t_log() const { return t_most + std::log(t_sum); }  ///< ln of the sum of e^t
    double s_log() const { return s_most + std::log(s_sum); }

private:
    /// The sum `b`, of powers over `b_most`, joins `a`.
    STILLROOM_EVERYWHERE static void join(
        double a_most, double& a, double b_most, double b, double temperature) {
        if (b_most > a_most)
            a = a * std::exp(temperature * (a_most - b_most)) + b;
        else
            a += b_most < a_most ? b * std::exp(temperature * (b_most - a_most)) : b;
    }

    STILLROOM_EVERYWHERE static void raise(double& most,
                                           std::int64_t& first,
                                           double other_most,
                                           std::int64_t other_first) {
        if (other_most > most || (other_most == most && other_first >= 0 && other_first < first)) {
            most = other_most;
            first = other_first;
        }
    }
};

}  // namespace stillroom::lm
