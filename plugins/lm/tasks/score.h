#pragma once

#include "plugins/lm/modules/decoder.h"
#include "plugins/lm/tasks/pack.h"

#include <functional>
#include <memory>
#include <span>
#include <vector>

namespace stillroom::lm {

// T tokens of a pack, D hidden

/// The pack as a decoder takes it. `earlier` holds what the pack before kept, `later` will hold
/// what this one keeps, which is the same where it goes on; null where packs stand for themselves.
STILLROOM_API Batch batch_of(const Pack& pack,
                             KvCache* earlier = nullptr,
                             KvCache* later = nullptr);

struct Scoring {
    /// Scores are log-probabilities. Without, those of a question that is asked at one place are
    /// logits, which compare the same and need no more of the head than the answers' rows.
    bool probabilities = false;
};

/// For each question of the pack a score for each choice, the likeliest the highest, from what the
/// head takes (hidden_states).
STILLROOM_API std::vector<std::vector<double>> scores_of(const Decoder& decoder,
                                                         const at::Tensor& hidden_TD,
                                                         const Pack& pack,
                                                         const Scoring& scoring = {});

/// Runs the packs one after another over one decoder: a row of scores for each question, in their
/// order. `after_pass` is told those of each pack, and ends the work by returning false.
STILLROOM_API std::vector<std::vector<double>> score_questions(
    const Decoder& decoder,
    std::span<const Pack> packs,
    const Scoring& scoring = {},
    const std::function<bool(std::span<const std::vector<double>> pass)>& after_pass = {});

}  // namespace stillroom::lm
