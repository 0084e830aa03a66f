#include "plugins/evaluate/lm_eval_results.h"

#include "engine/base/json.h"

#include <algorithm>
#include <cmath>

namespace stillroom::evaluate {
namespace {

void write_metrics(JsonWriter& out,
                   const std::string& alias,
                   const std::vector<LmEvalMetric>& metrics) {
    out.begin_object();
    out.key("alias"), out.string(alias);
    for (const LmEvalMetric& metric : metrics) {
        out.key(metric.name + ",none"), out.number(metric.value);
        out.key(metric.name + "_stderr,none");
        metric.stderror ? out.number(*metric.stderror) : out.string("N/A");
    }
    out.end_object();
}

std::vector<const LmEvalTask*> tasks_of(const LmEvalRun& run, const LmEvalGroup& group) {
    std::vector<const LmEvalTask*> out;
    for (const LmEvalTask& task : run.tasks)
        if (std::count(group.tasks.begin(), group.tasks.end(), task.name) > 0)
            out.push_back(&task);
    return out;
}

/// The members' variances pooled, as lm-eval does.
LmEvalMetric accuracy_of(const LmEvalRun& run, const LmEvalGroup& group) {
    double sum = 0, variance = 0, asked = 0, count = 0;
    bool known = true;
    for (const LmEvalTask* task : tasks_of(run, group)) {
        const LmEvalMetric& metric = task->metrics.front();
        auto size = static_cast<double>(task->asked);
        sum += metric.value * size;
        asked += size;
        count += 1;
        known = known && metric.stderror.has_value();
        double error = metric.stderror.value_or(0);
        variance += (size - 1) * error * error * size;
    }
    LmEvalMetric out{.name = "acc", .value = asked > 0 ? sum / asked : 0, .stderror = {}};
    if (known && asked > count)
        out.stderror = std::sqrt(variance / (asked - count) / asked);
    return out;
}

}  // namespace

std::optional<double> lm_eval_stderr(std::int64_t correct, std::int64_t asked) {
    if (asked < 2)
        return std::nullopt;
    auto n = static_cast<double>(asked);
    double p = static_cast<double>(correct) / n;
    return std::sqrt(p * (1 - p) / (n - 1));
}

std::string lm_eval_json(const LmEvalRun& run) {
    JsonWriter out(1);
    auto section = [&](const char* name, auto&& group, auto&& task) {
        out.key(name), out.begin_object();
        for (const LmEvalGroup& one : run.groups)
            group(one);
        for (const LmEvalTask& one : run.tasks)
            task(one);
        out.end_object();
    };
    auto nothing = [](const auto&) {};
    auto group_metrics = [&](const LmEvalGroup& group) {
        out.key(group.name), write_metrics(out, group.alias, {accuracy_of(run, group)});
    };
    out.begin_object();
    section("results", group_metrics, [&](const LmEvalTask& task) {
        out.key(task.name), write_metrics(out, task.alias, task.metrics);
    });
    if (!run.groups.empty())
        section("groups", group_metrics, nothing);
    section(
        "group_subtasks",
        [&](const LmEvalGroup& group) {
            out.key(group.name), out.begin_array();
            for (const std::string& member : group.members)
                out.string(member);
            out.end_array();
        },
        [&](const LmEvalTask& task) {
            if (run.groups.empty())
                out.key(task.name), out.begin_array(), out.end_array();
        });
    section(
        "versions",
        [&](const LmEvalGroup& group) { out.key(group.name), out.number(group.version); },
        [&](const LmEvalTask& task) { out.key(task.name), out.number(task.version); });
    section("n-shot", nothing, [&](const LmEvalTask& task) {
        out.key(task.name), out.integer(task.few_shot);
    });
    auto higher = [&](const std::string& name, const std::vector<LmEvalMetric>& metrics) {
        out.key(name), out.begin_object();
        for (const LmEvalMetric& metric : metrics)
            out.key(metric.name), out.boolean(true);
        out.end_object();
    };
    section(
        "higher_is_better",
        [&](const LmEvalGroup& group) { higher(group.name, {accuracy_of(run, group)}); },
        [&](const LmEvalTask& task) { higher(task.name, task.metrics); });
    section("n-samples", nothing, [&](const LmEvalTask& task) {
        out.key(task.name), out.begin_object();
        out.key("original"), out.integer(task.total);
        out.key("effective"), out.integer(task.asked);
        out.end_object();
    });
    out.key("config"), out.begin_object();
    out.key("model"), out.string("stillroom");
    out.key("model_args"), out.begin_object();
    out.key("name"), out.string(run.model);
    out.key("dtype"), out.string(run.dtype);
    out.end_object();
    out.key("device"), out.string(run.device);
    out.key("random_seed"), out.integer(run.seed);
    out.end_object();
    out.end_object();
    return out.take() + "\n";
}

}  // namespace stillroom::evaluate
