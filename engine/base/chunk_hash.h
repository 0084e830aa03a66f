#pragma once

#include "engine/base/api.h"

#include <string>
#include <string_view>

namespace stillroom {

/// The SHA-256 of one chunk as its 32 bytes: what a file's digest (digest.h) is made of.
STILLROOM_API std::string chunk_hash(std::string_view chunk);

}  // namespace stillroom
