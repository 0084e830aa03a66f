#pragma once

#include "engine/base/api.h"

#include <cstddef>
#include <string>

namespace stillroom {

/// A name that nothing else has: hexadecimal digits of so many bytes that the kernel drew.
STILLROOM_API std::string random_name(std::size_t bytes = 8);

}  // namespace stillroom
