#pragma once

#include "engine/base/api.h"

namespace stillroom::lm {

/// What the vector kernels of this folder are compiled for. The plain ones run everywhere.
bool has_avx2_and_f16c();

/// The CPU multiplies bf16 tiles (AMX), and the system lets programs use them.
STILLROOM_API bool cpu_multiplies_bf16();

}  // namespace stillroom::lm
