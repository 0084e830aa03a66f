#pragma once

#include "engine/base/api.h"
#include "plugins/lm/tasks/question.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace stillroom::lm {

enum class PromptRule : std::uint8_t {
    standard,  ///< lm-eval's
    /// NVIDIA Model-Optimizer's pruning example: a question keeps its outer blanks, and in an
    /// example "Answer:" follows the last choice on the same line.
    reference
};

/// What all questions of a subject begin with: the header and the first `few_shot` solved examples.
STILLROOM_API std::string mmlu_prefix(const Subject& subject,
                                      std::size_t few_shot,
                                      PromptRule rule);

/// What follows it: the question, its choices and "Answer:".
STILLROOM_API std::string mmlu_question(const Question& question, PromptRule rule);

/// Without what Python's str.strip() takes away.
STILLROOM_API std::string_view strip(std::string_view text);

}  // namespace stillroom::lm
