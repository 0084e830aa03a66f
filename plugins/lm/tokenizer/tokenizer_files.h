#pragma once

#include <algorithm>
#include <array>
#include <string_view>

namespace stillroom::lm {

/// What a folder's tokenizer may be: the first of these that is there.
inline constexpr std::array<std::string_view, 3> kTokenizerFiles{
    "tokenizer.json", "tekken.json", "tokenizer.model"};

/// What says beside it which of its tokens are special.
inline constexpr std::string_view kTokenizerConfig = "tokenizer_config.json";
inline constexpr std::string_view kGenerationConfig = "generation_config.json";

/// Tokenizer::read() of a folder looks at nothing else.
inline bool is_read_by_tokenizer(std::string_view name) {
    return std::find(kTokenizerFiles.begin(), kTokenizerFiles.end(), name) !=
               kTokenizerFiles.end() ||
           name == kTokenizerConfig || name == kGenerationConfig;
}

}  // namespace stillroom::lm
