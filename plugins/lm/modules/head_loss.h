#pragma once

#include "engine/base/api.h"
#include "plugins/lm/modules/head_terms.h"

#include <ATen/core/Tensor.h>

#include <functional>
#include <optional>

namespace stillroom::lm {

// The head, and what training and distilling ask of its logits. Rows go through it by the chunk,
// and the gradients of a chunk are made while its logits are there, so logits of a chunk are all
// that ever exist, of either side. Rows that do not count are left out before.
//
// T tokens, D hidden, V vocabulary

/// What meets in a head.
struct HeadSide {
    at::Tensor hidden_TD;
    at::Tensor weight_VD;
    std::optional<double> cap;  ///< ModelConfig's final_cap
};

/// The words that this rank's heads hold, where ranks share a vocabulary: the same words of both
/// sides. All ranks have the same rows.
struct VocabularyShard {
    std::int64_t first = 0;
    std::int64_t total = 0;  ///< words of all ranks; 0: those here
    /// [...] of this rank to [ranks, ...], in the order of their words. fp64 on the CPU, the same
    /// shape on every rank, a fixed number of calls for each chunk. Empty: the vocabulary is here.
    std::function<at::Tensor(const at::Tensor&)> all_gather;
};

struct HeadBatch {
    HeadSide student;
    std::optional<HeadSide> teacher;  ///< where the vocabularies differ in length, both are cut
    at::Tensor labels_T;              ///< int64 on the CPU; below zero: this row does not count
    VocabularyShard shard;
    std::int64_t rows_at_once = 0;  ///< of a chunk; 0: as many as suit the device
};

/// Sums over the rows that count, none divided or weighted.
struct HeadSums {
    std::int64_t rows = 0;
    double kl = 0;  ///< with temperature² if scale_t2
    double ce = 0;
    std::int64_t agreeing = 0;  ///< whose likeliest word is the teacher's, or the label without one
    std::int64_t nonfinite = 0;  ///< rows with a logit that is no number: sums are NaN, slopes 0

    /// Throws Error (exit 6) if there are such rows.
    STILLROOM_API void expect_finite() const;
};

/// Where slopes of `scale` times the weighted sum go.
struct HeadSlopes {
    double scale = 1;
    at::Tensor hidden_TD;  ///< written: like the student's hidden states, 0 where no row counts
    at::Tensor weight_VD;  ///< fp32, added to; undefined: not wanted
};

/// The sums alone.
STILLROOM_API HeadSums head_sums(const HeadBatch& batch, const HeadTerms& terms);

/// With a shard, hidden_TD gets this rank's part: ranks add theirs up.
STILLROOM_API HeadSums head_slopes(const HeadBatch& batch,
                                   const HeadTerms& terms,
                                   const HeadSlopes& slopes);

struct HeadLoss {
    at::Tensor total;  ///< the weighted sum, fp32; can be differentiated
    HeadSums sums;
};

/// The same for autograd: slopes are made here, backward scales them. A head that wants a gradient
/// gets it as others do, or, where `main_VD` is given, has it added there (fp32) at once, and then
/// the total must be differentiated as it is: backward refuses another slope than 1.
STILLROOM_API HeadLoss head_loss(const HeadBatch& batch,
                                 const HeadTerms& terms,
                                 const at::Tensor& main_VD = {});

}  // namespace stillroom::lm
