#pragma once

#include "engine/base/api.h"
#include "plugins/lm/kernels/row_sums.h"
#include "plugins/lm/kernels/vectors.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace stillroom::lm {

// Teacher's logits t and student's s of a few rows of a batch, a block of the vocabulary at a time,
// as [words, lanes]: each lane is a row of the batch. So nothing is summed across a vector, and the
// products that make the logits read the weights as they lie. Both sides are over the temperature
// τ; p and q are their softmax over the whole vocabulary. Blocks, threads and ranks each see a part
// of it; what they found is merged.

inline constexpr std::size_t kLaneStep = 16;  ///< lanes come in multiples of it

/// What the sums of a block are made of, so that its slopes take no powers: e^(t - t_most) and
/// e^(s - s_most), of the largest in each lane so far. No teacher's for `student`.
struct LanePowers {
    float *t = nullptr, *s = nullptr;            ///< [words, lanes]
    float *t_most = nullptr, *s_most = nullptr;  ///< [lanes]
};

/// The rows of a block, or of many blocks one after the other.
class STILLROOM_API LaneSums {
public:
    LaneSums(std::size_t lanes, Divergence divergence, double temperature);

    /// `t` is not looked at for `student`. NaN or infinity in a lane makes its sums NaN. Forward
    /// and student at τ = 1 fill `powers`, if not null.
    void add(Tier tier,
             const float* t,
             const float* s,
             std::size_t words,
             std::int64_t first_word,
             const LanePowers* powers = nullptr);

    RowSums row(std::size_t lane) const;

private:
    void merge_block(const float* t, const float* s, std::size_t words, std::int64_t first_word);

    std::size_t lanes_;
    Divergence divergence_;
    double temperature_;
    std::vector<float> t_most_, s_most_;                 // of the blocks before, then with this one
    std::vector<float> t_sum_, s_sum_, cross_, ce_sum_;  // of one block
    std::vector<RowSums> rows_;
};

/// Of each row, what turns logits into gradients. All 0: the row has none.
struct STILLROOM_API LaneSlopes {
    explicit LaneSlopes(std::size_t lanes);
    std::vector<float> t_log, s_log;   ///< ln of the sum of e^t, of e^s over the vocabulary
    std::vector<float> teacher;        ///< times p, is taken away
    std::vector<float> student;        ///< times q
    std::vector<float> ratio;          ///< reverse: times q·(s - t); jsd: times q·ln(q/m)
    std::vector<float> s_most, plain;  ///< times e^(τ·(s - s_most)): cross entropy if τ is not 1
};

/// d = what the loss rises by when s does, all as [words, lanes]:
/// forward: teacher·(q - p) + student·q; reverse: q·(student + ratio·(s - t)); jsd: q·(student +
/// ratio·ln(q/m)); student: student·q; with `temperature` not 1 plus plain's part.
STILLROOM_API void slope_block(Tier tier,
                               Divergence divergence,
                               const LaneSlopes& slopes,
                               double beta,
                               double temperature,
                               const float* t,
                               const float* s,
                               float* d,
                               std::size_t words);

/// The same from powers: forward and student at τ = 1.
STILLROOM_API void power_slope_block(Tier tier,
                                     Divergence divergence,
                                     const LaneSlopes& slopes,
                                     const LanePowers& powers,
                                     float* d,
                                     std::size_t words);

/// Adds to each row's sums of a jsd: of p·ln(p/m) and of q·ln(q/m), m = β·p + (1 - β)·q.
STILLROOM_API void mixture_block(Tier tier,
                                 const LaneSlopes& slopes,
                                 double beta,
                                 const float* t,
                                 const float* s,
                                 std::size_t words,
                                 std::span<double> t_sums,
                                 std::span<double> s_sums);

/// x = cap·tanh(x / cap) / temperature, in place; and what a slope there is worth before it.
STILLROOM_API void cap_block(
    Tier tier, float* x, std::size_t count, double cap, double temperature);
STILLROOM_API void uncap_block(
    Tier tier, const float* capped, float* d, std::size_t count, double cap, double temperature);

/// Of one row in double, from logits up to a constant: the loss and, if asked, its slopes. The twin
/// of the loops above.
STILLROOM_API double divergence_of(Divergence divergence,
                                   double beta,
                                   std::span<const double> t,
                                   std::span<const double> s,
                                   std::span<double> slopes = {});

}  // namespace stillroom::lm
