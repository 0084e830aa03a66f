#pragma once

#include "plugins/lm/data/micro_batch.h"
#include "plugins/lm/modules/batch.h"

namespace stillroom::lm {

// T tokens of a micro-batch

/// What one micro-batch asks of a student.
struct Lesson {
    Batch tokens;
    at::Tensor labels_T;  ///< int64; below zero: does not count
    std::int64_t counted = 0;
};

/// With `positions` those of the batch count, else each sequence counts from 0.
STILLROOM_API Lesson lesson_of(const MicroBatch& batch, bool positions = false);

}  // namespace stillroom::lm
