#pragma once

#include "engine/base/api.h"

#include <cstddef>
#include <span>
#include <string>

namespace stillroom::lm {

/// Undoes Snappy's raw format, which has no frames. What comes out is exactly `size` bytes, or
/// BadBytes is thrown, before much is allocated where the size cannot be.
STILLROOM_API std::string unsnappy(std::span<const std::byte> bytes, std::size_t size);

}  // namespace stillroom::lm
