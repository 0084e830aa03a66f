#include "plugins/evaluate/mmlu.h"

#include "engine/base/text.h"
#include "engine/plugin/gate.h"
#include "plugins/evaluate/compute.h"
#include "plugins/evaluate/cost.h"
#include "plugins/lm/tasks/asked.h"
#include "plugins/lm/tasks/mmlu_files.h"
#include "plugins/lm/tasks/mmlu_prompt.h"
#include "plugins/lm/tasks/subset.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace stillroom::evaluate {
namespace fs = std::filesystem;
namespace {

const std::array<std::string, 7> kNumbers = {
    "accuracy", "se", "accuracy_weighted", "correct", "asked", "total", "subjects."};

/// For a plan: bytes of text that a token of a prompt stands for, about.
constexpr double kBytesPerToken = 3.6;

double prompt_tokens(const lm::QuestionSet& set, const MmluSettings& settings) {
    std::size_t bytes = 0;
    lm::PromptRule rule = settings.prompt == MmluSettings::Prompt::reference
                              ? lm::PromptRule::reference
                              : lm::PromptRule::standard;
    for (const lm::Subject& subject : set.subjects) {
        bytes += lm::mmlu_prefix(subject, static_cast<std::size_t>(settings.few_shot), rule).size();
        for (const lm::Question& question : subject.questions)
            bytes += static_cast<std::size_t>(
                settings.fraction * static_cast<double>(lm::mmlu_question(question, rule).size()));
    }
    return static_cast<double>(bytes) / kBytesPerToken;
}

}  // namespace

void Mmlu::describe(DescribeContext& context) const {
    refuse_wrong_gates(context, gates_of(settings_.gate), kNumbers);
    std::error_code ignored;
    bool here = fs::is_directory(settings_.questions, ignored);
    std::optional<lm::ModelConfig> config = config_of(context);
    if (settings_.scoring == Settings::Scoring::choice_ids &&
        fs::exists(context.input("model") / "tokenizer.json", ignored))
        lm::letter_ids(lm::Tokenizer::read(context.input("model")), 4);
    if (!here || !config)
        return;
    lm::QuestionSet set = lm::read_mmlu(settings_.questions, settings_.few_shot > 0);
    context.cost(cost_of(*config, prompt_tokens(set, settings_), word(settings_.dtype)));
}

void Mmlu::run(RunContext& context) {
    STILLROOM_SECOND_HALF("evaluate_compute", stillroom_evaluate_mmlu)(settings_, context);
}

}  // namespace stillroom::evaluate
