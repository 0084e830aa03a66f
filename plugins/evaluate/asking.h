#pragma once

#include "engine/plugin/stage.h"
#include "plugins/evaluate/model.h"
#include "plugins/lm/tasks/asked.h"
#include "plugins/lm/tasks/score.h"

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom::evaluate {

using Scores = std::vector<std::vector<double>>;

struct Asking {
    bool probabilities = true;  ///< as lm::Scoring's
    std::optional<std::int64_t> batch =
        {};  ///< questions of a pass; none: as many as memory is for
    /// A file in work() that holds the scores so far, under this name: a stage that was stopped
    /// goes on where it was.
    std::string record = "scores";
    double begin = 0, end = 1;  ///< the part of the stage's progress that this is
    std::string what = {};      ///< that is asked, for the progress line
};

/// A score for each choice of each question. Throws Stopped.
Scores ask_all(RunContext& context,
               const Model& model,
               std::span<const lm::Asked> asked,
               const Asking& asking);

/// Tokens that the model reads at once: its positions, or what lm-eval takes where it says none.
std::size_t longest_text(const lm::ModelConfig& config);

/// Says how many questions lost their beginning, if any did.
void warn_of_cuts(RunContext& context, std::span<const lm::Asked> asked, std::size_t longest);

}  // namespace stillroom::evaluate
