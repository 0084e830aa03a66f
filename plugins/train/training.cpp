#include "plugins/train/training.h"

#include "engine/base/error.h"
#include "plugins/train/distill_settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace stillroom::train {
namespace {

using Key = DistillSettings::Key;  // the keys of all stages of training are alike

constexpr std::int64_t kMostSteps = std::int64_t{1} << 40;

[[noreturn]] void refuse(std::string_view key, std::string message, std::string hint) {
    throw Error({}, std::move(message))
        .key(std::string(key))
        .hint(std::move(hint))
        .exit_code(kExitUsage);
}

std::int64_t whole_steps(const Training& training, double samples, std::string_view key) {
    double steps = std::ceil(samples / static_cast<double>(training.global_batch));
    if (!(steps >= 1) || steps > static_cast<double>(kMostSteps))
        refuse(key,
               fmt::format("{:.4g} samples are {:.4g} steps", samples, steps),
               "a training has at least one step");
    return static_cast<std::int64_t>(steps);
}

std::optional<std::int64_t> steps_of(const Training& training,
                                     std::optional<std::int64_t> data_tokens) {
    auto sequence = static_cast<double>(training.sequence);
    if (training.steps)
        return *training.steps;
    if (training.samples)
        return whole_steps(training, static_cast<double>(*training.samples), Key().samples);
    if (training.tokens)
        return whole_steps(
            training, static_cast<double>(*training.tokens) / sequence, Key().tokens);
    if (!data_tokens)
        return std::nullopt;
    double samples =
        std::floor(*training.epochs * static_cast<double>(*data_tokens - 1) / sequence);
    // A last step that is not full would repeat samples: what is left over is left out.
    double steps = std::floor(samples / static_cast<double>(training.global_batch));
    if (steps < 1)
        refuse(
            Key().epochs,
            fmt::format("{} epochs of {} tokens are {:.0f} samples, less than a global batch of {}",
                        *training.epochs,
                        *data_tokens,
                        samples,
                        training.global_batch),
            "a smaller global_batch or sequence, or more data");
    return whole_steps(training, steps * static_cast<double>(training.global_batch), Key().epochs);
}

std::int64_t samples_of(const Span& span, const Training& training, std::int64_t all) {
    if (span.samples)
        return *span.samples;
    if (span.share)
        return static_cast<std::int64_t>(std::llround(*span.share * static_cast<double>(all)));
    std::int64_t most = std::numeric_limits<std::int64_t>::max() / training.global_batch;
    return std::min(span.steps, most) * training.global_batch;
}

/// What newcomers meet, in the steps that they think in; lm::check_schedule knows samples alone.
void check_spans(const Training& training, const Lengths& lengths) {
    const lm::Schedule& schedule = lengths.schedule;
    auto steps = [&](std::int64_t samples) {
        return static_cast<double>(samples) / static_cast<double>(training.global_batch);
    };
    if (schedule.warmup >= schedule.length)
        refuse(
            Key().schedule.warmup,
            fmt::format("a warmup of {:.6g} steps does not end before the {:.6g} of the schedule",
                        steps(schedule.warmup),
                        steps(schedule.length)),
            fmt::format("schedule.warmup: {}, a twentieth of them, or a longer training",
                        schedule.length / training.global_batch / 20));
    if (schedule.course == lm::Course::wsd && !training.tail_steps)
        refuse(Key().schedule.kind,
               "wsd falls at its end, and tail_steps does not say over how many steps",
               fmt::format("schedule.tail_steps: {}, a tenth of the training",
                           std::max<std::int64_t>(1, lengths.steps / 10)));
}

}  // namespace

std::optional<Lengths> lengths_of(const Training& training,
                                  std::optional<std::int64_t> data_tokens) {
    std::optional<std::int64_t> steps = steps_of(training, data_tokens);
    if (!steps)
        return std::nullopt;
    if (*steps > kMostSteps / training.global_batch)
        refuse(Key().steps,
               fmt::format("{} steps of {} samples", *steps, training.global_batch),
               fmt::format("at most {} samples in all", kMostSteps));
    std::int64_t all = *steps * training.global_batch;
    Lengths out{.steps = *steps, .schedule = {}};
    lm::Schedule& schedule = out.schedule;
    schedule.course = training.course;
    schedule.most = training.lr;
    schedule.least = training.min_lr;
    schedule.warmup = samples_of(training.warmup, training, all);
    schedule.length = training.decay_steps ? samples_of(*training.decay_steps, training, all) : all;
    schedule.fall = training.tail.value_or(lm::Fall::linear);
    schedule.fall_length = training.tail_steps.value_or(0) * training.global_batch;
    check_spans(training, out);
    lm::check_schedule(schedule);
    return out;
}

}  // namespace stillroom::train
