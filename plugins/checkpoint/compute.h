#pragma once

#include "engine/plugin/second_half.h"

#include <cstdint>
#include <filesystem>
#include <vector>

namespace stillroom::checkpoint {

struct LogitsDifference {
    double max = 0, rms = 0;       ///< of the differences
    double cosine = 1;             ///< of all logits, as one vector
    std::int64_t same_best = 0;    ///< positions whose likeliest token is the same
    std::int64_t positions = 0;    ///< that were compared
    std::int64_t not_numbers = 0;  ///< logits that are NaN or infinite in either model
};

/// In checkpoint_compute.so, which links LibTorch: both folders' logits of one text, in fp32 on the
/// CPU, with up to `threads` threads.
extern "C" STILLROOM_API void stillroom_checkpoint_compare_logits(
    const std::filesystem::path& folder,
    const std::filesystem::path& other,
    const std::vector<std::int64_t>& ids,
    int threads,
    LogitsDifference& out);

}  // namespace stillroom::checkpoint
