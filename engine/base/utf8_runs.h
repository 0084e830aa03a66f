#pragma once

#include "engine/base/api.h"

#include <cstddef>
#include <cstdint>

namespace stillroom {

/// Which instructions look at the text. `plain` leaves all of it to the caller.
enum class Utf8Tier : std::uint8_t { plain, avx2, avx512 };
STILLROOM_API Utf8Tier best_utf8_tier();  ///< of this machine

/// How many bytes from the first on are well-formed UTF-8 for sure. What lies behind them begins
/// with a character, and is for the caller to look at: less than 68 bytes, or what is wrong.
STILLROOM_API std::size_t valid_utf8_blocks(const char* text, std::size_t size, Utf8Tier tier);

}  // namespace stillroom
