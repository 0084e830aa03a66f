#pragma once

#include "engine/base/api.h"

#include <cstdint>
#include <string>

namespace stillroom {

/// What decides which kernels run here: the psABI level of the processor, with AMX where there is
/// one ("x86-64-v4+amx"), or another processor's name. Work begun in one class is not gone on with
/// in another.
STILLROOM_API std::string machine_class();

STILLROOM_API std::string host_name();

/// Bytes of memory that programs can still have; 0 where nobody can tell.
STILLROOM_API std::uint64_t available_memory();

}  // namespace stillroom
