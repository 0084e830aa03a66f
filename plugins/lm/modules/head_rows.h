#pragma once

#include "plugins/lm/modules/head_loss.h"
#include "plugins/lm/modules/top_tokens.h"

#include <vector>

namespace stillroom::lm {

/// Of each row, the sums of a jsd: of p·ln(p/m) and of q·ln(q/m).
struct MixtureSums {
    std::vector<double> teacher, student;
};

/// A slope that the loops do not make: added to, or in place of, what they made.
struct Patch {
    std::int64_t word = 0;
    std::size_t lane = 0;
    float value = 0;
    bool replaces = false;
};

/// A chunk's rows between the two passes over its logits: from what all of the vocabulary adds up
/// to, their losses and what turns their logits into slopes.
class HeadRows {
public:
    /// `labels` of the chunk's rows. `scale` as in HeadSlopes; null: no slopes are wanted.
    HeadRows(const HeadTerms& terms, std::vector<std::int64_t> labels, const double* scale);

    /// What the first pass has to add up, and what makes the slopes in the second.
    static Divergence sums_of(const HeadTerms& terms);
    static Divergence slopes_of(const HeadTerms& terms);

    /// Each row's, of the whole vocabulary: first the sums, then for a jsd over all words the sums
    /// of mixture_block, whose logarithms `slopes()` has then, or for top_k the top tokens.
    void finish(const std::vector<RowSums>& rows);
    void finish_mixture(const MixtureSums& sums);
    void finish_top(std::vector<std::vector<TopToken>> rows);

    const HeadSums& sums() const { return sums_; }
    const LaneSlopes& slopes() const { return slopes_; }
    std::vector<Patch> patches() const;                             ///< sorted by word
    const std::vector<std::size_t>& dead() const { return dead_; }  ///< lanes without slopes

private:
    void take(std::size_t lane, double kl);
    void set_slopes(std::size_t lane, double student, double teacher, double ratio);
    double top_loss(std::size_t lane, std::vector<TopToken>& tokens);

    const HeadTerms& terms_;
    std::vector<std::int64_t> labels_;
    double temperature_;
    double kl_scale_, ce_scale_;  // of slopes; both 0 if none are wanted
    HeadSums sums_;
    LaneSlopes slopes_;
    std::vector<RowSums> rows_;
    std::vector<Patch> patches_;
    std::vector<std::size_t> dead_;
};

}  // namespace stillroom::lm
