#pragma once

#include "plugins/lm/config/new_config.h"

#include <cstdint>
#include <filesystem>
#include <optional>

namespace stillroom::checkpoint {

/// What a new model must know of the tokenizer that it is to have.
struct TokenizerFacts {
    std::int64_t ids = 0;  ///< one more than the highest; 0: not known (no tokenizer.json)
    lm::TokenIds special;
};

/// From the files of a tokenizer, or of a model that has one. Throws Error (exit 3).
TokenizerFacts tokenizer_facts(const std::filesystem::path& folder);

}  // namespace stillroom::checkpoint
