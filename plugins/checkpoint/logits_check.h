#pragma once

#include "plugins/checkpoint/compute.h"
#include "plugins/lm/config/model_config.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace stillroom::checkpoint {

/// Ids on which models of this vocabulary are compared: always the same.
std::vector<std::int64_t> check_ids(std::int64_t vocab);

/// Why logits cannot be compared here, or an empty text: no torch in this build, or less memory
/// than `needed` bytes.
std::string why_no_logits(std::uint64_t needed);

/// Throws Error with the module's exit code and message.
LogitsDifference compare_logits(const std::filesystem::path& folder,
                                const std::filesystem::path& other,
                                const std::vector<std::int64_t>& ids,
                                int threads);

}  // namespace stillroom::checkpoint
