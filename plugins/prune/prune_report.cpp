#include "plugins/prune/prune_report.h"

#include "engine/base/json.h"
#include "engine/base/text.h"
#include "plugins/lm/config/grouped.h"
#include "plugins/prune/search_report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace stillroom::prune {
namespace {

std::vector<std::int64_t> dropped_layers(const Pruned& pruned) {
    std::vector<std::int64_t> out;
    std::size_t next = 0;
    for (std::int64_t layer = 0; layer < std::ssize(pruned.before.layers); ++layer)
        if (next < pruned.cut.layers.size() && pruned.cut.layers[next].layer == layer)
            ++next;
        else
            out.push_back(layer);
    return out;
}

void put_metrics(JsonWriter& out, const Shape& shape, const Metrics& metrics) {
    out.begin_object();
    write_candidate(out, {shape, metrics});
    out.end_object();
}

/// A curve of at most so many points, the largest first.
void put_curve(JsonWriter& out,
               std::string_view key,
               std::vector<float> values,
               std::size_t points) {
    std::sort(values.begin(), values.end(), std::greater<>());
    out.key(key), out.begin_array();
    const std::size_t count = std::min(points, values.size());
    for (std::size_t i = 0; i < count; ++i)
        out.number(values[count > 1 ? i * (values.size() - 1) / (count - 1) : 0]);
    out.end_array();
}

void put_list(JsonWriter& out, std::string_view key, const std::vector<float>& values) {
    out.key(key), out.begin_array();
    for (float value : values)
        out.number(value);
    out.end_array();
}

/// What an importance plot is drawn from: channels as falling curves, heads and layers one by one.
void put_importance(JsonWriter& out, const Scores& scores) {
    constexpr std::size_t kPoints = 64;
    out.begin_object();
    put_curve(out, "hidden", scores.hidden, kPoints);
    put_list(out, "layers", scores.layers);
    out.key("ffn"), out.begin_array();
    for (const std::vector<float>& layer : scores.ffn) {
        out.begin_object();
        put_curve(out, "curve", layer, kPoints / 4);
        out.end_object();
    }
    out.end_array();
    out.key("heads"), out.begin_array();
    for (const std::vector<float>& layer : scores.heads) {
        out.begin_array();
        for (float value : layer)
            out.number(value);
        out.end_array();
    }
    out.end_array();
    out.end_object();
}

void put_judged(JsonWriter& out, const Judged& judged, const std::vector<WeightedTask>& tasks) {
    out.begin_object();
    write_candidate(out, judged.candidate);
    out.key("layers"), out.begin_array();
    for (std::int64_t layer : judged.layers)
        out.integer(layer);
    out.end_array();
    if (!judged.tasks.empty()) {
        out.key("score"), out.number(score_of(judged, tasks));
        out.key("se"), out.number(error_of(judged, tasks));
        out.key("tied"), out.boolean(judged.tied);
        out.key("tasks"), out.begin_object();
        for (const TaskScore& score : judged.tasks) {
            out.key(name_of(score.task)), out.begin_object();
            out.key("value"), out.number(score.value());
            out.key("se"), out.number(score.error());
            out.key("units"), out.integer(std::ssize(score.units));
            if (score.task == Task::mmlu)
                out.key("total"), out.integer(score.total);
            if (!score.answers.empty())
                out.key("answers"), out.string(score.answers);
            out.end_object();
        }
        out.end_object();
    }
    out.end_object();
}

void put_targets(JsonWriter& out, const MinitronSettings& settings) {
    out.begin_object();
    if (settings.target && settings.target->params)
        out.key("params"), out.integer(*settings.target->params);
    if (settings.target && settings.target->active_params)
        out.key("active_params"), out.integer(*settings.target->active_params);
    if (settings.target && settings.target->memory_mib)
        out.key("memory_mib"), out.number(*settings.target->memory_mib);
    out.end_object();
}

void put_dropped(JsonWriter& out, const Pruned& pruned) {
    const Shape before = shape_of(pruned.before), after = shape_of(pruned.after);
    out.begin_object();
    out.key("layers"), out.begin_array();
    for (std::int64_t layer : dropped_layers(pruned))
        out.integer(layer);
    out.end_array();
    out.key("hidden"), out.integer(before.hidden - after.hidden);
    out.key("ffn"), out.integer(before.ffn - after.ffn);
    out.key("heads"), out.integer(before.heads - after.heads);
    out.key("kv_heads"), out.integer(before.kv_heads - after.kv_heads);
    out.end_object();
}

std::string percent(double part, double whole) {
    return fmt::format("{:.1f} %", whole > 0 ? 100 * part / whole : 0);
}

std::string sizes_text(const PruneFacts& facts) {
    const Shape before = shape_of(facts.pruned.before), after = shape_of(facts.pruned.after);
    std::string out = fmt::format("{:<22} {:>17} {:>17} {:>8}\n", "", "before", "after", "kept");
    auto row = [&](std::string_view name, double from, double to, int digits) {
        auto text = [&](double value) {
            return digits == 0 ? lm::grouped(static_cast<std::int64_t>(value))
                               : fmt::format("{:.{}f}", value, digits);
        };
        out += fmt::format(
            "{:<22} {:>17} {:>17} {:>8}\n", name, text(from), text(to), percent(to, from));
    };
    auto size = [&](std::string_view name, std::int64_t from, std::int64_t to) {
        row(name, static_cast<double>(from), static_cast<double>(to), 0);
    };
    size("parameters", facts.before.params, facts.after.params);
    size("active parameters", facts.before.active_params, facts.after.active_params);
    for (Hparam hparam : kHparams)
        size(name_of(hparam), before.of(hparam), after.of(hparam));
    size("num_query_groups", before.kv_heads, after.kv_heads);
    row("weights MiB", facts.before.weights_mib, facts.after.weights_mib, 1);
    row("KV cache MiB", facts.before.kv_mib, facts.after.kv_mib, 1);
    return out;
}

std::string dropped_text(const PruneFacts& facts) {
    std::vector<std::int64_t> layers = dropped_layers(facts.pruned);
    if (layers.empty())
        return "No layer was dropped.\n";
    return fmt::format("Dropped {}: {} (counted from 0).\n",
                       layers.size() == 1 ? "layer" : "layers",
                       fmt::join(layers, ", "));
}

std::string check_text(const PruneFacts& facts) {
    std::string out = "Read back after writing: every tensor is what the cut makes of the source";
    if (facts.check)
        out += fmt::format(
            "; logits of {} positions differ from the candidate's in memory by at "
            "most {:.2g} (cosine {:.6f}, the same likeliest token at {})",
            facts.check->positions,
            facts.check->max,
            facts.check->cosine,
            facts.check->same_best);
    else if (!facts.no_check.empty())
        out += fmt::format("; logits were not compared: {}", facts.no_check);
    return out + ".\n";
}

/// Those that were asked for, and what ties were told apart by.
std::vector<WeightedTask> shown_tasks(const PruneFacts& facts) {
    std::vector<WeightedTask> out = facts.tasks;
    for (const Judged& one : facts.judged)
        for (const TaskScore& score : one.tasks)
            if (!has_task(out, score.task))
                out.push_back({.task = score.task});
    return out;
}

std::string search_summary(const PruneFacts& facts) {
    const Found& found = *facts.found;
    std::vector<std::string> names;
    for (const WeightedTask& task : facts.tasks)
        names.push_back(task.weight == 1 ? std::string(name_of(task.task))
                                         : fmt::format("{} x {}", task.weight, name_of(task.task)));
    std::vector<std::string> on;
    const std::vector<TaskScore>& scored = facts.judged.front().tasks;
    for (const TaskScore& task : scored)
        if (task.task == Task::mmlu)
            on.push_back(fmt::format("{} of {} questions",
                                     lm::grouped(std::ssize(task.units)),
                                     lm::grouped(task.total)));
    if (facts.heldout_rows > 0 && (facts.tasks.size() > 1 || !has_task(facts.tasks, Task::mmlu)))
        on.push_back(fmt::format("{} held-out rows", facts.heldout_rows));
    std::string out =
        fmt::format("{} combinations, {} fit the target{}; {} scored by {}{}.\n",
                    lm::grouped(found.space),
                    lm::grouped(found.fit),
                    found.refused > 0
                        ? fmt::format(", {} of them refused since transformers does not load such "
                                      "a shape",
                                      lm::grouped(found.refused))
                        : "",
                    facts.judged.size(),
                    join(names),
                    on.empty() ? "" : " on " + join(on, "and"));
    out += "\n" + candidates_text(facts.judged, shown_tasks(facts), facts.chosen);
    auto ties = std::count_if(
        facts.judged.begin(), facts.judged.end(), [](const Judged& one) { return one.tied; });
    if (ties > 1)
        out += fmt::format(
            "\n{} candidates are within two paired standard errors of the best: the "
            "one with the lower kl or loss was taken, then with fewer layers.\n",
            ties);
    if (has_task(facts.tasks, Task::mmlu))
        out +=
            "\nZero-shot MMLU of freshly pruned models: their order often changes after "
            "distillation.\n";
    return out;
}

}  // namespace

std::string candidates_text(const std::vector<Judged>& judged,
                            const std::vector<WeightedTask>& tasks,
                            std::optional<std::size_t> chosen) {
    std::string out = fmt::format("{:>4} {:>7} {:>7} {:>7} {:>6} {:>17}",
                                  "rank",
                                  "layers",
                                  "hidden",
                                  "ffn",
                                  "heads",
                                  "parameters");
    for (const WeightedTask& task : tasks)
        out += fmt::format(" {:>18}", name_of(task.task));
    out += "\n";
    for (std::size_t i = 0; i < judged.size(); ++i) {
        const auto& [shape, metrics] = judged[i].candidate;
        out += fmt::format("{:>4} {:>7} {:>7} {:>7} {:>6} {:>17}",
                           i + 1,
                           shape.layers,
                           shape.hidden,
                           shape.ffn,
                           shape.heads,
                           lm::grouped(metrics.params));
        for (const WeightedTask& task : tasks)
            if (const TaskScore* score = judged[i].find(task.task))
                out += fmt::format(" {:>9.4f} +-{:.4f}", score->value(), score->error());
            else
                out += fmt::format(" {:>18}", "");
        out += chosen == i ? "  <- taken\n" : judged[i].tied ? "  tie\n" : "\n";
    }
    return out;
}

std::string report_json(const PruneFacts& facts) {
    JsonWriter out(1);
    out.begin_object();
    out.key("mode"), out.string(facts.found ? "search" : "shape");
    out.key("target"), put_targets(out, *facts.settings);
    out.key("before"), put_metrics(out, shape_of(facts.pruned.before), facts.before);
    out.key("after"), put_metrics(out, shape_of(facts.pruned.after), facts.after);
    out.key("params"), out.integer(facts.after.params);
    if (facts.found) {
        write_search(out, *facts.found);
        out.key("tasks"), out.begin_array();
        for (const WeightedTask& task : facts.tasks) {
            out.begin_object();
            out.key("task"), out.string(name_of(task.task));
            out.key("weight"), out.number(task.weight);
            out.end_object();
        }
        out.end_array();
        out.key("candidates"), out.begin_array();
        for (const Judged& one : facts.judged)
            put_judged(out, one, facts.tasks);
        out.end_array();
        out.key("chosen"), out.integer(static_cast<std::int64_t>(facts.chosen));
        if (const Judged& best = facts.judged[facts.chosen]; !best.tasks.empty()) {
            out.key("score"), out.number(score_of(best, facts.tasks));
            out.key("se"), out.number(error_of(best, facts.tasks));
        }
        out.key("heldout_rows"), out.integer(facts.heldout_rows);
    }
    out.key("dropped"), put_dropped(out, facts.pruned);
    out.key("importance"), put_importance(out, *facts.scores);
    out.key("check"), out.begin_object();
    out.key("tensors"), out.string("equal");
    if (facts.check) {
        out.key("positions"), out.integer(facts.check->positions);
        out.key("max_difference"), out.number(facts.check->max);
        out.key("cosine"), out.number(facts.check->cosine);
        out.key("same_argmax"), out.integer(facts.check->same_best);
    }
    out.end_object();
    out.end_object();
    return out.take();
}

std::string report_text(const PruneFacts& facts) {
    std::string out =
        "# Pruned model\n\n```\n" + sizes_text(facts) + "```\n\n" + dropped_text(facts);
    if (facts.found)
        out += "\n## Search\n\n```\n" + search_summary(facts) + "```\n";
    out += "\n" + check_text(facts);
    out += "\nindex_map.json in the model's folder says for every new index which one it was.\n";
    return out;
}

std::string provenance_json(const PruneFacts& facts) {
    JsonWriter out(1);
    out.begin_object();
    out.key("format"), out.integer(1);
    out.key("source"), out.string(facts.source_fingerprint);
    out.key("mode"), out.string(facts.found ? "search" : "shape");
    out.key("target"), put_targets(out, *facts.settings);
    out.key("shape"), put_metrics(out, shape_of(facts.pruned.after), facts.after);
    out.key("layers"), out.begin_array();
    for (const lm::LayerCut& layer : facts.pruned.cut.layers)
        out.integer(layer.layer);
    out.end_array();
    out.key("candidates"), out.begin_array();
    for (const Judged& one : facts.judged)
        put_judged(out, one, facts.tasks);
    out.end_array();
    out.end_object();
    return out.take();
}

}  // namespace stillroom::prune
