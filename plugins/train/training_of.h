#pragma once

#include "plugins/train/training.h"

#include <algorithm>
#include <variant>

namespace stillroom::train {

// From what the settings of a stage have become in its own struct to what all stages share. The
// structs are alike where their schemas are.

template <class Length>
Span span_of(const Length& length) {
    Span out;
    if (const auto* steps = std::get_if<std::int64_t>(&length)) {
        out.steps = *steps;
        return out;
    }
    const auto& other = std::get<1>(length);
    out.samples = other.samples;
    out.share = other.share;
    return out;
}

inline constexpr std::string_view kCourses[] = {
    "constant", "linear", "cosine", "inverse_sqrt", "wsd"};
inline constexpr std::string_view kFalls[] = {"linear", "cosine", "exponential", "minus_sqrt"};

/// The value whose place in its enum is that of the word in the list.
template <class Value, std::size_t N>
Value value_of(std::string_view word, const std::string_view (&words)[N]) {
    return static_cast<Value>(std::find(words, words + N, word) - words);
}

template <class Settings>
void read_optimizer(const Settings& settings, Training& out) {
    const auto& optimizer = settings.optimizer;
    out.optimizer = {
        .beta1 = optimizer.betas[0], .beta2 = optimizer.betas[1], .eps = optimizer.eps};
    out.lr = optimizer.lr;
    if (const auto* fixed = std::get_if<double>(&optimizer.weight_decay)) {
        out.decay = *fixed;
    } else {
        const auto& ramp = std::get<1>(optimizer.weight_decay);
        out.decay_ramp = lm::Ramp{.from = ramp.from,
                                  .to = ramp.to,
                                  .cosine = word(ramp.shape) == "cosine",
                                  .steps = ramp.steps};
    }
    out.no_decay = optimizer.no_decay;
    out.clip = optimizer.clip;
    const auto& schedule = settings.schedule;
    out.course = value_of<lm::Course>(word(schedule.kind), kCourses);
    out.warmup = span_of(schedule.warmup);
    out.min_lr = schedule.min_lr;
    if (schedule.decay_steps)
        out.decay_steps = span_of(*schedule.decay_steps);
    if (schedule.tail)
        out.tail = value_of<lm::Fall>(word(*schedule.tail), kFalls);
    out.tail_steps = schedule.tail_steps;
}

template <class Loss>
void read_loss(const Loss& loss, Training& out) {
    constexpr std::string_view kDirections[] = {"forward", "reverse", "jsd"};
    const auto& kl = loss.kl;
    out.terms.kl =
        lm::KlTerm{.weight = kl.weight,
                   .temperature = kl.temperature,
                   .scale_t2 = kl.scale_t2,
                   .direction = value_of<lm::Divergence>(word(kl.direction), kDirections),
                   .beta = kl.beta,
                   .top_k = kl.top_k.value_or(0),
                   .top_p = kl.top_p.value_or(1),
                   .top_p_min_k = kl.top_p_min_k,
                   .tail = word(kl.tail) == "bucket" ? lm::Tail::bucket : lm::Tail::renormalise};
    out.terms.ce_weight = loss.ce.weight;
    for (const auto& pair : loss.hidden)
        out.hidden.push_back({.student = pair.student,
                              .teacher = pair.teacher,
                              .is_cosine = word(pair.kind) == "cosine",
                              .weight = pair.weight});
    out.shared_projection = loss.shared_projection;
}

template <class Settings>
void read_parallel(const Settings& settings, Training& out) {
    const auto& parallel = settings.parallel;
    out.layout = {.tensor = parallel.tensor,
                  .pipeline = parallel.pipeline,
                  .first_layers = parallel.num_layers_in_first_pipeline_stage,
                  .last_layers = parallel.num_layers_in_last_pipeline_stage};
    if (const auto* data = std::get_if<std::int64_t>(&parallel.data))
        out.layout.data = *data;
    if (const auto* shares = std::get_if<bool>(&parallel.sequence))
        out.sequence_parallel = *shares;
    if constexpr (requires { parallel.teacher; }) {
        auto ranks = [](const auto& wish) {
            const auto* number = std::get_if<std::int64_t>(&wish);
            return number ? std::optional(*number) : std::nullopt;
        };
        out.teacher = {.tensor = ranks(parallel.teacher.tensor),
                       .pipeline = ranks(parallel.teacher.pipeline),
                       .first_layers = parallel.teacher.num_layers_in_first_pipeline_stage,
                       .last_layers = parallel.teacher.num_layers_in_last_pipeline_stage};
    }
    if (const auto* every = std::get_if<1>(&settings.recompute))
        out.recompute = every->every;
    else
        out.recompute = word(std::get<0>(settings.recompute)) == "full" ? 1 : 0;
}

template <class Settings>
Training training_of(const Settings& settings) {
    Training out;
    out.steps = settings.steps;
    out.samples = settings.samples;
    out.tokens = settings.tokens;
    out.epochs = settings.epochs;
    out.sequence = settings.sequence;
    out.global_batch = settings.global_batch;
    out.micro_batch = settings.micro_batch;
    read_optimizer(settings, out);
    if constexpr (requires { settings.loss; })
        read_loss(settings.loss, out);
    else
        out.terms.ce_weight = 1;
    out.skips_nonfinite = word(settings.on_nonfinite) == "skip";
    out.skip_steps = {settings.skip_steps.begin(), settings.skip_steps.end()};
    out.eval_every = settings.eval.every;
    out.eval_batches = settings.eval.batches;
    out.validate_only = settings.validate_only;
    out.save_every = settings.checkpoint.every.value_or(settings.eval.every);
    out.keep = settings.checkpoint.keep;
    out.stop_step = settings.stop.step;
    out.stop_minutes = settings.stop.minutes;
    out.split = settings.split;
    out.reset_positions = settings.reset_positions;
    out.reset_attention = settings.reset_attention;
    out.mask_eod = settings.mask_eod;
    out.precision = word(settings.precision);
    read_parallel(settings, out);
    out.log_every = settings.log.every;
    out.tensorboard = settings.log.tensorboard;
    out.seed = settings.seed;
    out.gates = gates_of(settings.gate);
    return out;
}

}  // namespace stillroom::train
