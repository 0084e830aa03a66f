#pragma once

#include "engine/plugin/stage.h"
#include "plugins/lm/config/model_config.h"
#include "plugins/lm/tokenizer/tokenizer.h"
#include "plugins/prune/minitron_settings.h"

#include <string_view>
#include <vector>

namespace stillroom::prune {

enum class Task : std::uint8_t { mmlu, loss, kl };
std::string_view name_of(Task task);

/// How candidates are judged. A score is a sum of weighted tasks and higher is better: of loss and
/// kl it is the negative.
struct WeightedTask {
    Task task = Task::kl;
    double weight = 1;
};
std::vector<WeightedTask> tasks_of(const MinitronSettings& settings);
bool has_task(const std::vector<WeightedTask>& tasks, Task task);

/// Whether rows of text are needed to compare candidates; else they may only part ties.
bool scores_rows(const MinitronSettings& settings);

/// What a recipe can get wrong about it: mmlu without questions, a tokenizer without letters. Reads
/// the tokenizer where it is there already.
void check_task(const MinitronSettings& settings, const StageContext& context);

/// The ids of " A" to " D". Throws Error (exit 3) where the tokenizer cannot tell them apart.
std::vector<std::int32_t> letters_of(const lm::Tokenizer& tokenizer);

/// The folder of the tokenizer: the port's, else the model's.
std::filesystem::path tokenizer_folder(const StageContext& context);

}  // namespace stillroom::prune
