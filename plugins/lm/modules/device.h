#pragma once

#include "engine/base/api.h"

#include <c10/core/Device.h>
#include <c10/core/ScalarType.h>

#include <string>
#include <string_view>

namespace stillroom::lm {

/// `auto`, `cpu`, `cuda` or `cuda:N`. `auto` is `cuda` where there is a CUDA device that works, and
/// of those this is the one for the rank that is the `local`th of its host, counted from 0. CUDA's
/// libraries are opened here, and only for a device that asks for them. Throws Error: exit 2 for
/// another text, exit 4 where there is no such device.
STILLROOM_API at::Device compute_device(std::string_view text, int local = 0);

/// What compute_device() gave last in this process; a device that has failed cannot be asked.
STILLROOM_API at::Device device_in_use();

/// The text with `auto` decided: the same on every rank.
STILLROOM_API std::string decided_device(std::string_view text);

/// `auto`, or a type as config.json spells it. `auto` is bf16, but fp32 on a CPU whose matrix units
/// are not made for bf16. Throws Error (exit 2) for another text.
STILLROOM_API at::ScalarType compute_type(std::string_view text, at::Device device);

/// Memory that tensors give back stays with the process, for the next pass's: asked for anew, its
/// pages would be zeroed again each time, a tenth of a pass on the CPU. For a worker that computes.
STILLROOM_API void keep_freed_memory();

}  // namespace stillroom::lm
