#pragma once

#include "engine/base/api.h"
#include "plugins/lm/train/event_file.h"

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace stillroom::lm {

/// What is told of a step.
struct LoggedStep {
    std::int64_t step = 0, steps = 0;  ///< made, and in all
    std::int64_t samples = 0;          ///< seen
    std::int64_t batch = 0;            ///< samples of this step
    std::int64_t tokens = 0;           ///< of this step, over all ranks
    double seconds = 0;                ///< that it took, the mean since the last that was told
    int ranks = 1;
    double token_flops = 0;  ///< of one token
    double peak = 0;         ///< FLOP/s of one rank's device; 0: not known
    double lr = 0;
    double loss_scale = 1, gradient_norm = 0, parameter_norm = 0;
    std::vector<std::pair<std::string, double>> losses;  ///< "total loss", "lm loss", ...
    std::int64_t skipped = 0, nonfinite = 0;
};

/// "step 100/1000 | samples 76800 | 5522.7 ms | ..."
STILLROOM_API std::string console_line(const LoggedStep& at);

/// Under the names that TensorBoard's users search for, over steps and, "vs samples", over samples.
STILLROOM_API void add_curves(EventFile& file, const LoggedStep& at, double now);

}  // namespace stillroom::lm
