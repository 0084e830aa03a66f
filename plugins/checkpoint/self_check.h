#pragma once

#include "plugins/checkpoint/cast.h"
#include "plugins/checkpoint/model_folder.h"

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>

namespace stillroom::checkpoint {

struct SelfCheck {
    std::int64_t tensors = 0, cast = 0;  ///< compared; of these with what a cast makes
    BadNumbers numbers;
};

/// Opens a folder that was just written as any reader would, and compares every tensor with its
/// source: bit for bit, or with what the cast makes of it. Throws Error (exit 9) for the first that
/// differs. Holds no tensor as a whole.
SelfCheck check_written(
    const ModelFolder& source,
    const std::filesystem::path& written,
    std::optional<lm::Dtype> dtype,
    unsigned threads,
    const std::function<void(std::uint64_t done, std::uint64_t total)>& progress);

}  // namespace stillroom::checkpoint
