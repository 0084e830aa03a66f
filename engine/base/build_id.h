#pragma once

#include "engine/base/api.h"

#include <string>

namespace stillroom {

/// What the linker wrote into the file that holds the engine: two builds with one id are the same
/// program. Hexadecimal; empty where it wrote nothing.
STILLROOM_API std::string build_id();

}  // namespace stillroom
