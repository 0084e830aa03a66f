#include "engine/base/durable.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/plugin/gate.h"
#include "plugins/evaluate/asking.h"
#include "plugins/evaluate/compute.h"
#include "plugins/evaluate/lm_eval_results.h"
#include "plugins/evaluate/table.h"
#include "plugins/lm/data/vocabulary_facts.h"
#include "plugins/lm/tasks/subset.h"
#include "plugins/lm/tasks/tally.h"
#include "plugins/lm/tasks/task_files.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::evaluate {
namespace fs = std::filesystem;
namespace {

using Task = TasksSettings::Task;

lm::TaskRule task_rule(const Task& task) {
    switch (task.rule) {
        case Task::Rule::hellaswag:
            return lm::TaskRule::hellaswag;
        case Task::Rule::arc:
            return lm::TaskRule::arc;
        case Task::Rule::winogrande:
            return lm::TaskRule::winogrande;
        case Task::Rule::choices:
            break;
    }
    return lm::TaskRule::choices;
}

struct TaskQuestions {
    std::string name;
    const Task* task;
    std::vector<lm::TaskQuestion> questions;
    std::vector<lm::Asked> asked;
    std::int64_t total = 0;
};

TaskQuestions questions_of(const std::string& name,
                           const Task& task,
                           const lm::Tokenizer& tokenizer,
                           std::size_t longest,
                           std::int64_t seed) {
    TaskQuestions out{.name = name, .task = &task, .questions = {}, .asked = {}};
    std::vector<lm::TaskQuestion> all = lm::read_task_file(task.file, task_rule(task));
    out.total = std::ssize(all);
    std::string shots;
    if (task.few_shot > 0) {
        std::vector<lm::TaskQuestion> examples =
            lm::read_task_file(*task.examples, task_rule(task));
        auto wanted = static_cast<std::size_t>(task.few_shot);
        if (examples.size() < wanted)
            throw Error({},
                        fmt::format("{} examples wanted before each question, {} has {}",
                                    wanted,
                                    task.examples->string(),
                                    examples.size()))
                .key(TasksSettings::Key().tasks[name].few_shot)
                .exit_code(kExitBadInput);
        for (std::size_t i = 0; i < wanted; i++)
            shots += examples[i].solved();
    }
    for (std::size_t index :
         lm::chosen({.fraction = task.fraction, .seed = seed}, name, all.size())) {
        lm::TaskQuestion question = std::move(all[index]);
        std::vector<std::string> contexts;
        for (const std::string& context : question.contexts)
            contexts.push_back(shots + context);
        out.asked.push_back(
            lm::ask_continuations(tokenizer, contexts, question.continuations, longest));
        out.questions.push_back(std::move(question));
    }
    return out;
}

/// By what a score is divided before scores are compared.
double length_of(const std::string& choice, std::string_view metric) {
    if (metric == "acc")
        return 1;
    auto bytes = static_cast<double>(choice.size());
    if (metric == "acc_bytes")
        return bytes;
    auto rest = std::count_if(
        choice.begin(), choice.end(), [](unsigned char c) { return (c & 0xc0) == 0x80; });
    return bytes - static_cast<double>(rest);
}

struct TaskResult {
    LmEvalTask task;
    std::vector<double> errors;  ///< of each metric, by how many questions there are
    std::string answers;         ///< a letter a question, by plain likelihood
};

TaskResult result_of(const TaskQuestions& questions, const Scores& scores) {
    TaskResult out;
    out.task = {.name = questions.name,
                .alias = questions.name,
                .metrics = {},
                .asked = std::ssize(questions.asked),
                .total = questions.total,
                .few_shot = questions.task->few_shot};
    std::vector<std::string> metrics = {"acc"};
    if (questions.task->rule != Task::Rule::winogrande)  // there the answers end alike
        metrics.insert(metrics.end(), {"acc_norm", "acc_bytes"});
    for (const std::string& metric : metrics) {
        lm::Tally tally{.asked = out.task.asked, .total = out.task.total};
        for (std::size_t i = 0; i < scores.size(); i++) {
            std::vector<double> normed = scores[i];
            for (std::size_t k = 0; k < normed.size(); k++)
                normed[k] /= length_of(questions.questions[i].choices[k], metric);
            std::size_t best = lm::best_of(normed);
            tally.correct += best == questions.questions[i].answer;
            if (metric == "acc")
                out.answers += best < 26 ? static_cast<char>('A' + best) : '?';
        }
        out.task.metrics.push_back({.name = metric,
                                    .value = tally.accuracy(),
                                    .stderror = lm_eval_stderr(tally.correct, tally.asked)});
        out.errors.push_back(tally.standard_error());
    }
    return out;
}

std::string tasks_json(const TasksSettings& settings,
                       const std::vector<TaskResult>& results,
                       const Model& model,
                       const std::string& tokenizer_digest) {
    JsonWriter out(1);
    out.begin_object();
    out.key("tasks"), out.begin_object();
    for (const TaskResult& result : results) {
        out.key(result.task.name), out.begin_object();
        for (std::size_t i = 0; i < result.task.metrics.size(); i++) {
            out.key(result.task.metrics[i].name), out.number(result.task.metrics[i].value);
            out.key(result.task.metrics[i].name + "_se"), out.number(result.errors[i]);
        }
        out.key("asked"), out.integer(result.task.asked);
        out.key("total"), out.integer(result.task.total);
        out.key("few_shot"), out.integer(result.task.few_shot);
        out.key("answers"), out.string(result.answers);
        out.end_object();
    }
    out.end_object();
    out.key("seed"), out.integer(settings.seed);
    out.key("tokenizer_digest"), out.string(tokenizer_digest);
    out.key("dtype"), out.string(model.dtype);
    out.key("device"), out.string(model.device);
    out.end_object();
    return out.take();
}

std::string tasks_text(const std::vector<TaskResult>& results, const Model& model) {
    std::vector<std::vector<std::string>> rows = {{"task", "metric", "asked", "%", "+-"}};
    for (const TaskResult& result : results)
        for (std::size_t i = 0; i < result.task.metrics.size(); i++)
            rows.push_back({result.task.name,
                            result.task.metrics[i].name,
                            fmt::format("{}", result.task.asked),
                            fmt::format("{:.2f}", 100 * result.task.metrics[i].value),
                            fmt::format("{:.2f}", 100 * result.errors[i])});
    return table_text(rows) + fmt::format("\n{} on {}\n", model.dtype, model.device);
}

}  // namespace

extern "C" void stillroom_evaluate_tasks(const TasksSettings& settings, RunContext& context) try {
    fs::path folder = context.input("model");
    lm::Tokenizer tokenizer = lm::Tokenizer::read(folder);
    std::vector<TaskQuestions> tasks;
    std::size_t count = 0;
    Model model = load_model(context, word(settings.dtype));
    std::size_t longest = longest_text(model.decoder().config);
    for (const auto& [name, task] : settings.tasks) {
        tasks.push_back(questions_of(name, task, tokenizer, longest, settings.seed));
        warn_of_cuts(context, tasks.back().asked, longest);
        count += tasks.back().asked.size();
    }
    std::vector<TaskResult> results;
    LmEvalRun run;
    std::size_t done = 0;
    auto share = [&] { return static_cast<double>(done) / static_cast<double>(count); };
    for (const TaskQuestions& task : tasks) {
        Asking asking{.record = task.name, .begin = share(), .what = task.name};
        if (const auto* batch = std::get_if<std::int64_t>(&settings.batch))
            asking.batch = *batch;
        done += task.asked.size();
        asking.end = share();
        results.push_back(result_of(task, ask_all(context, model, task.asked, asking)));
        run.tasks.push_back(results.back().task);
    }
    run.model = folder.filename().string();
    run.dtype = model.dtype;
    run.device = model.device;
    run.seed = settings.seed;

    std::string json = tasks_json(settings, results, model, lm::vocabulary_digest(tokenizer));
    std::string text = tasks_text(results, model);
    fs::path report = context.output("report");
    write_report(report, json, text);
    write_record_file(report / "results.json", lm_eval_json(run));
    context.text(text);
    check_gates(context, gates_of(settings.gate), json);
} catch (const Stopped&) {
}

}  // namespace stillroom::evaluate
