#include "plugins/train/check.h"

#include "engine/base/error.h"
#include "plugins/lm/train/hidden_points.h"
#include "plugins/lm/weights/weight_table.h"
#include "plugins/train/distill_settings.h"

#include <fmt/format.h>
#include <fnmatch.h>

#include <algorithm>

namespace stillroom::train {
namespace {

using Key = DistillSettings::Key;  // the keys of all stages of training are alike

constexpr double kManyTimes = 10;  // that data is read: more than most people mean

void check_point(const std::string& text,
                 std::string_view key,
                 const char* whose,
                 const lm::ModelConfig& model) {
    std::optional<lm::Point> point = lm::point_named(text);
    std::size_t layers = model.layers.size();
    auto refuse = [&](std::string message) {
        throw Error({}, std::move(message))
            .key(std::string(key))
            .hint(fmt::format("embed, layers.0 to layers.{}, layers.N.norm1, layers.N.norm2 or "
                              "final_norm",
                              layers - 1))
            .exit_code(kExitUsage);
    };
    if (!point)
        refuse(fmt::format("'{}' is no point of a model", text));
    if (point->kind == lm::Point::embed || point->kind == lm::Point::final_norm)
        return;
    if (point->index >= layers)
        refuse(fmt::format("'{}': {} has {} layers, counted from 0", text, whose, layers));
    const lm::Layer& layer = model.layers[point->index];
    if ((point->kind == lm::Point::norm1 && !layer.attention) ||
        (point->kind == lm::Point::norm2 && !layer.mlp))
        refuse(fmt::format("'{}': this layer of {} has no such block", text, whose));
}

/// The first is the error, the others are notes.
void refuse_all(const std::vector<lm::LayoutProblem>& problems) {
    if (problems.empty())
        return;
    Error error({}, problems.front().message);
    error.key(problems.front().key).hint(problems.front().hint).exit_code(kExitUsage);
    for (std::size_t i = 1; i < problems.size(); i++)
        error.note({}, fmt::format("and {}: {}", problems[i].key, problems[i].message));
    throw error;
}

}  // namespace

void check_no_decay(const Training& training, const lm::ModelConfig& student) {
    lm::WeightTable weights = lm::weight_table(student);
    for (std::size_t i = 0; i < training.no_decay.size(); i++) {
        const std::string& glob = training.no_decay[i];
        if (std::none_of(weights.begin(),
                         weights.end(),
                         [&](const lm::Weight& weight) {
                             return fnmatch(glob.c_str(), weight.name.c_str(), 0) == 0;
                         }) &&
            !glob.starts_with("projections"))
            throw Error({}, fmt::format("'{}' is the name of no tensor of the student", glob))
                .key(std::string(Key().optimizer.no_decay))
                .hint(fmt::format("its first is {}; * stands for anything", weights.begin()->name))
                .exit_code(kExitUsage);
    }
}

void check_hidden(const Training& training,
                  const lm::ModelConfig& student,
                  const lm::ModelConfig& teacher) {
    for (std::size_t i = 0; i < training.hidden.size(); i++) {
        auto key = Key().loss.hidden[i];
        check_point(training.hidden[i].student, key.student, "the student", student);
        check_point(training.hidden[i].teacher, key.teacher, "the teacher", teacher);
    }
    if (training.shared_projection && training.layout.pipeline > 1 && training.hidden.size() > 1 &&
        student.hidden != teacher.hidden)
        throw Error({}, "stages of a pipeline share no projection")
            .key(Key().loss.shared_projection)
            .hint("one for each pair (the default), or parallel.pipeline: 1")
            .exit_code(kExitUsage);
}

void tell_of_lengths(StageContext& context,
                     const Training& training,
                     const Lengths& lengths,
                     std::optional<std::int64_t> tokens,
                     const lm::ModelConfig& student) {
    if (student.max_positions > 0 && training.sequence > student.max_positions)
        context.log(LogLevel::warning,
                    fmt::format("samples of {} tokens, but the student knows {} positions",
                                training.sequence,
                                student.max_positions));
    if (!tokens || training.validate_only)
        return;
    auto all = static_cast<double>(std::max<std::int64_t>(*tokens, 1));
    auto sequence = static_cast<double>(training.sequence);
    double wanted = static_cast<double>(lengths.steps * training.global_batch) * sequence;
    if (training.sequence >= *tokens)
        context.log(LogLevel::warning,
                    fmt::format("a sample of {} tokens is longer than all of the data, {}: it says "
                                "the same {:.3g} times; a shorter sequence or more data",
                                training.sequence,
                                *tokens,
                                (sequence + 1) / all));
    else if (wanted > all)
        context.log(
            wanted > kManyTimes * all ? LogLevel::warning : LogLevel::info,
            fmt::format(
                "{} steps of {} samples of {} tokens read the data's {} tokens {:.3g} times",
                lengths.steps,
                training.global_batch,
                training.sequence,
                *tokens,
                wanted / all));
}

lm::Layout checked_layout(const Training& training,
                          std::int64_t world,
                          const lm::ModelConfig& student) {
    std::vector<lm::LayoutProblem> problems;
    lm::Layout layout = lm::lay_out(training.layout, world, student, problems);
    for (lm::LayoutProblem& problem : problems)
        problem.key = fmt::format("{}.{}", std::string_view(Key().parallel), problem.key);
    if (std::optional<lm::LayoutProblem> uneven =
            lm::uneven_batch(training.global_batch, training.micro_batch, layout.data))
        problems.push_back(*uneven);
    if (training.sequence_parallel.value_or(false) && training.layout.tensor == 1)
        problems.push_back({.key = std::string(std::string_view(Key().parallel.sequence)),
                            .message = "sequence is shared by ranks that share layers, and "
                                       "tensor is 1",
                            .hint = "sequence: auto, or a tensor above 1"});
    if (training.shares_sequence() && training.sequence % training.layout.tensor != 0)
        problems.push_back({.key = std::string(std::string_view(Key().sequence)),
                            .message = fmt::format("sequence {} is not a multiple of tensor {}",
                                                   training.sequence,
                                                   training.layout.tensor),
                            .hint = "or parallel.sequence: false"});
    refuse_all(problems);
    return layout;
}

lm::Layout teacher_layout(const Training& training,
                          const lm::Layout& student,
                          const lm::ModelConfig& teacher) {
    const TeacherWish& wish = training.teacher;
    auto layers = static_cast<std::int64_t>(teacher.layers.size());
    std::vector<lm::LayoutProblem> divides, problems;
    auto neither = [&](const char* key, std::optional<std::int64_t> asked, std::int64_t own) {
        if (asked.value_or(1) != 1 && *asked != own)
            problems.push_back({.key = key,
                                .message = fmt::format(
                                    "{} {} of the teacher: its student has {}", key, *asked, own),
                                .hint = own == 1 ? "1" : fmt::format("1 or {}", own)});
    };
    neither("tensor", wish.tensor, student.tensor);
    neither("pipeline", wish.pipeline, student.pipeline);
    lm::lay_out({.tensor = student.tensor}, student.tensor, teacher, divides);
    std::int64_t tensor = wish.tensor.value_or(divides.empty() ? student.tensor : 1);
    std::int64_t pipeline =
        wish.pipeline.value_or(layers < student.pipeline ? 1 : student.pipeline);
    lm::Layout out = student;
    if (problems.empty()) {
        bool is_given = wish.first_layers || wish.last_layers;
        lm::Layout laid = lm::lay_out({.tensor = tensor,
                                       .pipeline = is_given ? pipeline : 1,
                                       .first_layers = wish.first_layers,
                                       .last_layers = wish.last_layers},
                                      is_given ? tensor * pipeline : tensor,
                                      teacher,
                                      problems);
        if (layers < pipeline && !is_given)
            problems.push_back(
                {.key = "pipeline",
                 .message =
                     fmt::format("pipeline {} of the teacher: it has {} layers", pipeline, layers),
                 .hint = "1"});
        out.tensor = static_cast<int>(tensor);
        out.pipeline = static_cast<int>(pipeline);
        out.stage_layers = laid.stage_layers;
        if (!is_given) {
            // As even as may be, and the last stages, where the head is, no longer than the others.
            out.stage_layers.clear();
            for (std::int64_t stage = 0; stage < pipeline; stage++)
                out.stage_layers.push_back(
                    static_cast<int>(layers / pipeline + (stage < layers % pipeline ? 1 : 0)));
        }
    }
    for (lm::LayoutProblem& problem : problems)
        problem.key = fmt::format("{}.{}", std::string_view(Key().parallel.teacher), problem.key);
    refuse_all(problems);
    return out;
}

}  // namespace stillroom::train
