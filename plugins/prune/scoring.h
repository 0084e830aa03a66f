#pragma once

#include "plugins/lm/data/rows.h"
#include "plugins/lm/tasks/asked.h"
#include "plugins/prune/judged.h"
#include "plugins/prune/machine.h"
#include "plugins/prune/reordered.h"

#include <functional>

namespace stillroom::prune {

/// Rows that no importance was measured on.
struct HeldOut {
    lm::Rows rows;
    std::int64_t first = 0, count = 0;
};

/// Candidates that are looked at together: of one width, so that they share the layers before the
/// first in which they differ.
struct Scoring {
    const MinitronSettings& settings;
    const Reordered& model;
    const Machine& machine;      ///< its data ranks share rows and questions
    std::filesystem::path work;  ///< what is scored is kept there
    std::string covers;          ///< what the numbers depend on besides candidates and task
    std::function<lm::Decoder(const Shape&)> decoder;  ///< of a candidate, all layers
    /// Told which candidate comes next and what part of the work is done; may throw.
    std::function<void(std::size_t candidates, double part)> progress;
    std::function<void(const Judged&)> scored;  ///< shown each candidate once it has its numbers
};

/// kl and loss of each candidate on held-out rows, appended to its tasks. Ranks share the rows.
void score_rows(const Scoring& scoring,
                const HeldOut& heldout,
                const std::vector<Task>& tasks,
                std::vector<Judged>& judged);

/// MMLU questions as a model takes them: a part of each subject, each answered by a letter.
struct Questions {
    std::vector<lm::Asked> asked;
    std::vector<std::size_t> right;  ///< the answer of each
    std::int64_t total = 0;          ///< that there are in these subjects
    std::string digest;              ///< of the files, of the tokenizer's ids, of what was chosen
};
Questions read_questions(const MinitronSettings& settings,
                         const std::filesystem::path& tokenizer,
                         const lm::ModelConfig& model);

/// mmlu of each candidate, appended to its tasks. Ranks share the questions.
void score_questions(const Scoring& scoring,
                     const Questions& questions,
                     std::vector<Judged>& judged);

}  // namespace stillroom::prune
