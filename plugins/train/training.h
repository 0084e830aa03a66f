#pragma once

#include "engine/plugin/gate.h"
#include "plugins/lm/config/model_config.h"
#include "plugins/lm/kernels/adamw.h"
#include "plugins/lm/modules/head_terms.h"
#include "plugins/lm/parallel/layout.h"
#include "plugins/lm/train/schedule.h"

#include <cstdint>
#include <optional>
#include <set>
#include <string>
#include <vector>

namespace stillroom::train {

/// A length as a recipe may say it: in steps, in samples, or as a share of the training.
struct Span {
    std::int64_t steps = 0;
    std::optional<std::int64_t> samples;
    std::optional<double> share;
};

/// A pair of points whose hidden states are to come together.
struct HiddenWish {
    std::string student, teacher;
    bool is_cosine = true;
    double weight = 1;
};

/// How the teacher is wanted to lie on its student's ranks; nothing: as the student where it
/// divides.
struct TeacherWish {
    std::optional<std::int64_t> tensor, pipeline, first_layers, last_layers;
};

/// What the stages of training ask for, all of them in the same words.
struct Training {
    // How long; one of them.
    std::optional<std::int64_t> steps, samples, tokens;
    std::optional<double> epochs;
    std::int64_t sequence = 0, global_batch = 0, micro_batch = 0;

    // How gradients become updates.
    lm::AdamwStep optimizer;
    double lr = 0, min_lr = 0, decay = 0;
    std::optional<lm::Ramp> decay_ramp;
    std::optional<double> clip;
    std::vector<std::string> no_decay;
    lm::Course course = lm::Course::cosine;
    Span warmup;
    std::optional<Span> decay_steps;
    std::optional<lm::Fall> tail;
    std::optional<std::int64_t> tail_steps;

    // What is minimised.
    lm::HeadTerms terms;
    std::vector<HiddenWish> hidden;
    bool shared_projection = false;

    bool skips_nonfinite = false;
    std::set<std::int64_t> skip_steps;
    std::int64_t eval_every = 0, eval_batches = 0;
    bool validate_only = false;
    std::int64_t save_every = 0, keep = 5;
    std::optional<std::int64_t> stop_step;
    std::optional<double> stop_minutes;

    std::string split;
    bool reset_positions = false, reset_attention = false, mask_eod = false;
    std::string precision;
    std::int64_t recompute = 0;  ///< layers a saved state; 0: none
    lm::LayoutWish layout;
    TeacherWish teacher;
    std::optional<bool> sequence_parallel;  ///< nothing: where ranks share layers
    std::int64_t log_every = 10;
    bool tensorboard = true;
    std::int64_t seed = 1234;
    Gates gates;

    bool distills() const { return terms.kl.has_value(); }
    bool shares_sequence() const { return sequence_parallel.value_or(layout.tensor > 1); }
};

/// How long it is, once it is known how much data there is.
struct Lengths {
    std::int64_t steps = 0;
    lm::Schedule schedule;
};

/// Throws Error (exit 2) where lengths contradict one another. `data_tokens`, where epochs count:
/// nothing while that is not known, and then nothing comes out.
std::optional<Lengths> lengths_of(const Training& training,
                                  std::optional<std::int64_t> data_tokens);

}  // namespace stillroom::train
