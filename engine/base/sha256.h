#pragma once

#include "engine/base/api.h"

#include <string>
#include <string_view>

namespace stillroom {

/// SHA-256 (FIPS 180-4) of the bytes as 64 lower-case hex digits. For keys and ids of a few
/// kilobytes: plain code that needs no library. Files are hashed elsewhere.
STILLROOM_API std::string sha256_hex(std::string_view bytes);

}  // namespace stillroom
