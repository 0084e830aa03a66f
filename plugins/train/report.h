#pragma once

#include "plugins/lm/train/loop.h"
#include "plugins/train/training.h"

#include <cstdint>
#include <optional>
#include <string>

namespace stillroom::train {

/// What a training came to.
struct Summary {
    lm::TrainingPoint point;
    std::optional<lm::Losses> last;  ///< of the last step
    std::uint64_t peak_memory = 0;
    std::string device, precision;
    std::int64_t ranks = 1;
};

std::string report_json(const Training& training, const Summary& summary);
std::string report_text(const Training& training, const Summary& summary);

}  // namespace stillroom::train
