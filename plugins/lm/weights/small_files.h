#pragma once

#include "engine/base/api.h"

#include <filesystem>
#include <string>
#include <vector>

namespace stillroom::lm {

// The files of a model folder beside its weights and its config.json, on their way to another.

struct CopiedFiles {
    std::vector<std::string> names;
    std::vector<std::string> hooks;  ///< that were left out: "tokenizer_config.json: auto_map"
};

/// Names of those that a changed model keeps: tokenizer, templates, generation config, licence; not
/// config.json, the index and the card, which speak of the weights.
STILLROOM_API std::vector<std::string> kept_small_files(const std::filesystem::path& folder);

/// Copies them byte for byte, but for hooks, which go.
STILLROOM_API CopiedFiles copy_small_files(const std::filesystem::path& from,
                                           const std::vector<std::string>& names,
                                           const std::filesystem::path& to);

}  // namespace stillroom::lm
