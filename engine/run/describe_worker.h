#pragma once

#include "engine/base/api.h"

#include <filesystem>

namespace stillroom {

/// The work of `stillroom worker --describe FILE`. Returns the exit status: 0 also where stages
/// were refused, which the records say. Throws Error if the request itself is unfit.
STILLROOM_API int describe_stages(const std::filesystem::path& file);

}  // namespace stillroom
