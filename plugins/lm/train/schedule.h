#pragma once

#include "engine/base/api.h"

#include <cstdint>

namespace stillroom::lm {

enum class Course : std::uint8_t { constant, linear, cosine, inverse_sqrt, wsd };
enum class Fall : std::uint8_t { linear, cosine, exponential, minus_sqrt };

/// The learning rate over a training. All lengths are in samples, so that it goes on as it was when
/// the batch changes.
struct Schedule {
    Course course = Course::cosine;
    double most = 0, least = 0;  ///< learning rates
    std::int64_t warmup = 0;
    std::int64_t length = 0;   ///< where `least` is reached
    Fall fall = Fall::linear;  ///< wsd: how, over the last `fall_length` before that
    std::int64_t fall_length = 0;
};

/// Throws Error (exit 2) for lengths or rates that contradict one another.
STILLROOM_API void check_schedule(const Schedule& schedule);

/// Of the update that brings the samples seen to `samples`; at least 1.
STILLROOM_API double learning_rate(const Schedule& schedule, std::int64_t samples);

/// A weight decay that changes: from the first step to the last of the ramp, then stays.
struct Ramp {
    double from = 0, to = 0;
    bool cosine = false;
    std::int64_t steps = 1;
};

STILLROOM_API double ramp_value(const Ramp& ramp, std::int64_t step);

}  // namespace stillroom::lm
