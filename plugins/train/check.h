#pragma once

#include "engine/plugin/stage.h"
#include "plugins/lm/config/model_config.h"
#include "plugins/train/training.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace stillroom::train {

/// What a stage of training calls the models that it takes.
struct Ports {
    std::string_view student;
    std::string_view teacher;  ///< empty: none
};

/// Everything that can be known before anything runs: lengths, layouts, points, vocabularies, and
/// what it costs. Leaves the skeletons of the outputs.
void describe_training(DescribeContext& context, const Training& training, const Ports& ports);

/// Throws Error (exit 2) for a pattern of no_decay that no tensor has.
void check_no_decay(const Training& training, const lm::ModelConfig& student);

/// Throws Error (exit 2) for points that a model does not have.
void check_hidden(const Training& training,
                  const lm::ModelConfig& student,
                  const lm::ModelConfig& teacher);

/// Says what works, but may not be what is meant: data that is read again, as megatron-core reads
/// it where it is short, and samples longer than the student knows positions. `tokens`: of the
/// data, as far as it is known.
void tell_of_lengths(StageContext& context,
                     const Training& training,
                     const Lengths& lengths,
                     std::optional<std::int64_t> tokens,
                     const lm::ModelConfig& student);

/// The ranks' layout. Throws Error (exit 2) at the first setting that does not divide; the others
/// are notes.
lm::Layout checked_layout(const Training& training,
                          std::int64_t world,
                          const lm::ModelConfig& student);

/// How the teacher lies on the same ranks: as is asked for, else as its student where it divides,
/// else whole. Throws Error (exit 2) for what it cannot.
lm::Layout teacher_layout(const Training& training,
                          const lm::Layout& student,
                          const lm::ModelConfig& teacher);

/// The tokenizers of both models and of the data are the same by content, and the logits that both
/// models have cover them. Returns how many those are. Throws Error (exit 3) naming what differs
/// first. What is not there yet is not checked.
std::int64_t checked_words(const StageContext& context,
                           const Ports& ports,
                           const lm::ModelConfig& student,
                           const std::optional<lm::ModelConfig>& teacher);

}  // namespace stillroom::train
