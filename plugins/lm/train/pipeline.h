#pragma once

#include "plugins/lm/train/stage_pass.h"

#include <functional>

namespace stillroom::lm {

/// What this rank found in a step's micro-batches: sums over rows are where the head is, those of
/// hidden states where the student's point is.
struct STILLROOM_API StepSums {
    PassSums pass;
    std::int64_t counted = 0;  ///< rows that count, of this rank's data
    std::int64_t tokens = 0;

    StepSums& operator+=(const StepSums& other);
};

/// Runs micro-batches through the stages of the pipeline, each stage one forward and one backward
/// in turn (1F1B), so that a stage never keeps more of them than there are stages. `next` gives
/// this rank's micro-batches in order. Gradients are added up, not divided. Without `learns`
/// forward alone.
STILLROOM_API StepSums run_micro_batches(const Learning& learning,
                                         std::int64_t count,
                                         const std::function<Lesson()>& next,
                                         bool learns);

}  // namespace stillroom::lm
