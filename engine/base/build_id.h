#pragma once

#include "engine/base/api.h"

#include <string>
#include <string_view>

namespace stillroom {

/// What the linker wrote into the file that holds the engine: two builds with one id are the same
/// program. Hexadecimal; empty where it wrote nothing.
STILLROOM_API std::string build_id();

/// The same of the notes of any file, which anybody may have written.
STILLROOM_API std::string build_id_in(std::string_view notes);

}  // namespace stillroom
