#pragma once

#include "plugins/lm/modules/head_loss.h"
#include "plugins/lm/parallel/mesh.h"
#include "plugins/lm/train/hidden_terms.h"
#include "plugins/lm/train/lesson.h"
#include "plugins/lm/train/parameters.h"

#include <cstdint>
#include <map>
#include <optional>
#include <vector>

namespace stillroom::lm {

// T tokens, D hidden

/// A rank's part of a teacher: the same stages of a pipeline as its student has, or all of it where
/// the head is; the same share of each layer, or whole layers.
struct Teacher {
    ModelPart part;
    Decoder decoder;
};

/// What a training computes, but for the data.
struct Learning {
    const Mesh* mesh = nullptr;
    const Parameters* student = nullptr;
    const Teacher* teacher = nullptr;  ///< null: none, or none of it here
    Layout teacher_layout;             ///< tensor and pipeline are the mesh's, or 1
    std::int64_t teacher_hidden = 0;
    HeadTerms terms;
    std::vector<HiddenTerm> hidden;
    std::int64_t recompute = 0;   ///< layers whose activations are computed again together; 0: all
                                  ///< are kept
    double scale = 1;             ///< of all slopes: those of fp16 would vanish without
    bool sequence = false;        ///< ranks of a layer share the tokens between layers
    std::int64_t head_words = 0;  ///< logits that count, over all ranks
};

/// Sums over rows that count.
struct PassSums {
    HeadSums head;
    std::vector<double> hidden;  ///< of each term, raw
};

/// One micro-batch's way through the layers of this rank. What comes from the stage before and what
/// goes to the next is the caller's.
class StagePass {
public:
    StagePass(const Learning& learning, Lesson lesson);

    /// The teacher's layers that are here. `in_TD` is not read where it embeds. Returns what its
    /// next stage takes; nothing where its head is.
    at::Tensor run_teacher(const at::Tensor& in_TD);

    /// States of the teacher that a term reads.
    const at::Tensor& teacher_state(std::size_t term) const { return teacher_states_.at(term); }
    void set_teacher_state(std::size_t term, const at::Tensor& x_TD) {
        teacher_states_[term] = x_TD;
    }

    /// The student's. With `learns` all that backward() needs is kept.
    at::Tensor forward(const at::Tensor& in_TD, bool learns);

    /// `slope_TD` is of what forward() returned, not read where the head is. Adds to the
    /// parameters' gradients and returns the slope of `in_TD`.
    at::Tensor backward(const at::Tensor& slope_TD);

    const PassSums& sums() const { return sums_; }
    std::int64_t counted() const { return lesson_.counted; }
    std::int64_t tokens() const { return lesson_.labels_T.size(0); }

private:
    /// Layers whose graph is one: between them the residual stream is a leaf, so that backward goes
    /// from one to the one before and what it needs can be made when its turn comes.
    struct Stretch {
        std::size_t first = 0, last = 0;
        at::Tensor in_TD, out_TD;  ///< no `out`: to be computed again
        at::Tensor hidden;         ///< weighted sum of hidden losses inside
    };

    void run(Stretch& stretch);
    void meet(const Point& point, const at::Tensor& x_TD, at::Tensor& total);
    bool any_hidden(std::size_t first, std::size_t last) const;
    at::Tensor rows_of(const at::Tensor& x_TD) const;
    void run_head(const at::Tensor& x_TD, bool learns);
    HeadBatch head_batch(const at::Tensor& hidden_TD) const;

    const Learning& learning_;
    const Decoder& decoder_;
    const ModelPart& part_;
    Lesson lesson_;
    at::Tensor rows_N_;  ///< rows that count, of all tokens
    std::map<std::size_t, at::Tensor> teacher_states_;
    at::Tensor taught_TD_;  ///< what the teacher's head takes

    at::Tensor embedded_TD_, embedded_hidden_;
    std::vector<Stretch> stretches_;
    at::Tensor last_TD_, head_TD_, head_slope_TD_, head_hidden_;
    bool counts_hidden_ = true;
    bool repeats_ = false;  ///< what is computed again is not counted again
    PassSums sums_;
};

}  // namespace stillroom::lm
