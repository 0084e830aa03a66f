#include "plugins/prune/task.h"

#include "engine/base/error.h"
#include "plugins/lm/parallel/layout.h"
#include "plugins/lm/tasks/asked.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::prune {
namespace fs = std::filesystem;
namespace {

using Key = MinitronSettings::Key;

template <class Word>
Task task_of(Word word) {
    return word == Word::mmlu ? Task::mmlu : word == Word::loss ? Task::loss : Task::kl;
}

}  // namespace

std::string_view name_of(Task task) {
    return task == Task::mmlu ? "mmlu" : task == Task::loss ? "loss" : "kl";
}

std::vector<WeightedTask> tasks_of(const MinitronSettings& settings) {
    if (!settings.score.task)
        return {{.task = settings.questions ? Task::mmlu : Task::kl}};
    if (const auto* one = std::get_if<0>(&*settings.score.task))
        return {{.task = task_of(*one)}};
    std::vector<WeightedTask> out;
    for (const auto& each : std::get<1>(*settings.score.task))
        out.push_back({.task = task_of(each.task), .weight = each.weight});
    return out;
}

bool has_task(const std::vector<WeightedTask>& tasks, Task task) {
    return std::any_of(
        tasks.begin(), tasks.end(), [&](const WeightedTask& one) { return one.task == task; });
}

void check_task(const MinitronSettings& settings, const StageContext& context) {
    const std::vector<WeightedTask> tasks = tasks_of(settings);
    if (has_task(tasks, Task::mmlu) && !settings.questions)
        context.refuse(Key().questions,
                       "the mmlu score has no questions",
                       "questions=FOLDER with MMLU's test and dev files, or score.task=kl");
    std::error_code ignored;
    if (has_task(tasks, Task::mmlu) &&
        fs::exists(tokenizer_folder(context) / "tokenizer.json", ignored))
        lm::letter_ids(lm::Tokenizer::read(tokenizer_folder(context)), 4);
    for (std::size_t i = 0; i < tasks.size(); ++i)
        for (std::size_t j = 0; j < i; ++j)
            if (tasks[i].task == tasks[j].task)
                context.refuse(Key().score.task[i],
                               fmt::format("{} is scored twice", name_of(tasks[i].task)),
                               "name it once, with a larger weight");
}

void check_layout(const MinitronSettings::Parallel& parallel, const lm::ModelConfig& model) {
    lm::LayoutWish wish{.tensor = parallel.tensor,
                        .pipeline = parallel.pipeline,
                        .first_layers = parallel.num_layers_in_first_pipeline_stage,
                        .last_layers = parallel.num_layers_in_last_pipeline_stage};
    std::int64_t world = parallel.tensor * parallel.pipeline;
    if (const auto* data = std::get_if<std::int64_t>(&parallel.data)) {
        wish.data = *data;
        world *= *data;
    }
    std::vector<lm::LayoutProblem> problems;
    lm::lay_out(wish, world, model, problems);
    if (problems.empty())
        return;
    Error error({}, problems.front().message);
    error.key(setting_below(Key().parallel, problems.front().key))
        .hint(problems.front().hint)
        .exit_code(kExitUsage);
    for (std::size_t i = 1; i < problems.size(); ++i)
        error.note({}, problems[i].message + "; " + problems[i].hint);
    throw error;
}

fs::path tokenizer_folder(const StageContext& context) {
    return context.input(context.has("tokenizer") ? "tokenizer" : "model");
}

}  // namespace stillroom::prune
