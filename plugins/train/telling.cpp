#include "plugins/train/telling.h"

#include "engine/base/units.h"

#include <fmt/format.h>

#include <chrono>
#include <cmath>

namespace stillroom::train {
namespace {

double now() {
    using Clock = std::chrono::system_clock;
    return std::chrono::duration<double>(Clock::now().time_since_epoch()).count();
}

/// A curve over steps and the same over samples, as people who compare batch sizes want it.
void add_both(lm::EventFile& file,
              const std::vector<lm::Scalar>& values,
              std::int64_t step,
              std::int64_t samples) {
    double time = now();
    file.add(values, step, time);
    std::vector<std::string> names;
    names.reserve(values.size());
    std::vector<lm::Scalar> over;
    for (const lm::Scalar& value : values) {
        names.push_back(std::string(value.tag) + " vs samples");
        over.push_back({.tag = names.back(), .value = value.value});
    }
    file.add(over, samples, time);
}

}  // namespace

Telling::Telling(const Training& training, RunContext& context, const About& about)
    : training_(training),
      context_(context),
      about_(about),
      speaks_(context.rank().rank == 0) {
    std::filesystem::path folder = context.tensorboard();
    if (!speaks_ || !training.tensorboard || folder.empty())
        return;
    std::optional<std::int64_t> again;
    if (about.resumed)
        again = *about.resumed + 1;
    events_.emplace(folder, now(), again);
}

void Telling::warning(const std::string& text) {
    if (speaks_)
        context_.log(LogLevel::warning, text);
}

void Telling::step(const lm::StepRecord& record, const lm::TrainingPoint& point) {
    double done = static_cast<double>(record.step) / static_cast<double>(about_.steps);
    // Each rank its own, so that the engine sees who stays behind.
    context_.progress(done, fmt::format("step {} of {}", record.step, about_.steps));
    if (!speaks_)
        return;
    seconds_ += record.seconds;
    steps_++;
    if (record.step % training_.log_every != 0 && record.step != about_.steps)
        return;
    lm::LoggedStep line = line_of(record, point);
    seconds_ = 0;
    steps_ = 0;
    context_.log(LogLevel::info, lm::console_line(line));
    if (events_)
        lm::add_curves(*events_, line, now());
    context_.metric("learning rate", record.lr, record.step);
    context_.metric(
        "tokens a second", static_cast<double>(record.tokens) / line.seconds, record.step);
    if (record.skipped)
        return;
    context_.metric("loss", record.losses.total, record.step);
    context_.metric("grad norm", record.gradient_norm, record.step);
    context_.metric("ce", record.losses.ce, record.step);
    if (training_.distills())
        context_.metric("kl", record.losses.kl, record.step);
}

lm::LoggedStep Telling::line_of(const lm::StepRecord& record,
                                const lm::TrainingPoint& point) const {
    const lm::Losses& losses = record.losses;
    lm::LoggedStep line{.step = record.step,
                        .steps = about_.steps,
                        .samples = point.samples,
                        .batch = about_.global_batch,
                        .tokens = record.tokens,
                        .seconds = seconds_ / static_cast<double>(steps_),
                        .ranks = about_.ranks,
                        .token_flops = about_.flops_a_token,
                        .lr = record.lr,
                        .loss_scale = point.loss_scale,
                        .gradient_norm = record.gradient_norm,
                        .parameter_norm = record.parameter_norm,
                        .losses = {},
                        .skipped = point.skipped,
                        .nonfinite = point.nonfinite};
    if (record.skipped)
        return line;
    line.losses.emplace_back("total loss", losses.total);
    if (training_.distills())
        line.losses.emplace_back("logits distillation loss", losses.kl);
    line.losses.emplace_back("lm loss", losses.ce);
    for (std::size_t i = 0; i < losses.hidden.size(); i++)
        line.losses.emplace_back(losses.hidden.size() == 1
                                     ? "intermediate distillation loss"
                                     : fmt::format("intermediate distillation loss {}", i),
                                 losses.hidden[i]);
    return line;
}

void Telling::validation(std::int64_t step, const lm::Losses& losses) {
    if (!speaks_)
        return;
    std::string text = fmt::format("validation after step {}: ce {:.5f}", step, losses.ce);
    context_.metric("validation ce", losses.ce, step);
    auto number = [](double value) { return static_cast<float>(value); };
    std::vector<lm::Scalar> values = {{"lm loss validation", number(losses.ce)},
                                      {"total loss validation", number(losses.total)}};
    if (training_.distills()) {
        text += fmt::format(", kl {:.5f}, agreement {:.4f}", losses.kl, losses.agreement);
        context_.metric("validation kl", losses.kl, step);
        values.push_back({"logits distillation loss validation", number(losses.kl)});
    }
    context_.log(LogLevel::info, text);
    if (events_)
        add_both(*events_, values, step, step * about_.global_batch);
}

}  // namespace stillroom::train
