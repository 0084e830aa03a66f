#include "plugins/prune/task.h"

#include "engine/base/error.h"
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

bool scores_rows(const MinitronSettings& settings) {
    const std::vector<WeightedTask> tasks = tasks_of(settings);
    return settings.prefilter || tasks.size() > 1 || !has_task(tasks, Task::mmlu);
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
        letters_of(lm::Tokenizer::read(tokenizer_folder(context)));
    for (std::size_t i = 0; i < tasks.size(); ++i)
        for (std::size_t j = 0; j < i; ++j)
            if (tasks[i].task == tasks[j].task)
                context.refuse(Key().score.task[i],
                               fmt::format("{} is scored twice", name_of(tasks[i].task)),
                               "name it once, with a larger weight");
}

std::vector<std::int32_t> letters_of(const lm::Tokenizer& tokenizer) try {
    return lm::letter_ids(tokenizer, 4);
} catch (Error& error) {
    error.key(Key().questions).hint("score.task=kl or score.task=loss asks no questions");
    throw;
}

fs::path tokenizer_folder(const StageContext& context) {
    return context.input(context.has("tokenizer") ? "tokenizer" : "model");
}

}  // namespace stillroom::prune
