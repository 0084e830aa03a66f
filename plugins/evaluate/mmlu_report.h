#pragma once

#include "plugins/evaluate/mmlu_settings.h"
#include "plugins/lm/tasks/tally.h"

#include <cstdint>
#include <string>
#include <vector>

namespace stillroom::evaluate {

/// What was found out by asking.
struct MmluResult {
    std::vector<lm::SubjectTally> subjects;
    std::vector<std::string> answers;  ///< of each subject a letter a question, in their order
    std::vector<std::string> right;    ///< what they should be
    std::vector<std::int32_t> choice_ids;
    std::int64_t cut = 0;  ///< prompts that were too long for the model
    std::string form;      ///< of the files
    std::string tokenizer_digest, questions_digest;
    std::string model, dtype, device;
};

std::string mmlu_json(const MmluSettings& settings, const MmluResult& result);
std::string mmlu_text(const MmluSettings& settings, const MmluResult& result);

/// The same in lm-eval's shape, with its groups.
std::string mmlu_lm_eval_json(const MmluSettings& settings, const MmluResult& result);

}  // namespace stillroom::evaluate
