#pragma once

#include "engine/base/api.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>

namespace stillroom::lm {

/// Where a training stands, all but its tensors. Data and schedule go by `samples`, random numbers
/// by `seed` and `step`: neither has a state of its own.
struct TrainingPoint {
    std::int64_t step = 0;     ///< updates made or skipped
    std::int64_t samples = 0;  ///< seen
    std::int64_t tokens = 0;
    std::int64_t skipped = 0;    ///< steps without an update
    std::int64_t nonfinite = 0;  ///< steps whose loss or gradient was no number
    std::int64_t seed = 0;
    double loss_scale = 1;                      ///< of slopes, where they are fp16
    std::int64_t scaled_steps = 0;              ///< since it changed
    std::int64_t overflows = 0;                 ///< seen since it last changed
    double seconds = 0;                         ///< of work, over all starts
    std::int64_t validated = -1;                ///< after this step; -1: never
    std::map<std::string, double> first, last;  ///< validations, by the name of the loss
    std::map<std::string, double> best;

    bool operator==(const TrainingPoint&) const = default;
};

STILLROOM_API std::string point_text(const TrainingPoint& point);

/// Throws Error (exit 3) for what point_text has not written.
STILLROOM_API TrainingPoint parse_point(std::string_view text);

}  // namespace stillroom::lm
