#pragma once

#include <cstddef>
#include <string_view>

namespace stillroom::lm {

/// Where the extended grapheme cluster that begins at `at` ends (Unicode 16).
std::size_t grapheme_end(std::string_view text, std::size_t at);

}  // namespace stillroom::lm
