#pragma once

#include "engine/base/diagnostic.h"
#include "engine/recipe/compose.h"

#include <string>
#include <vector>

namespace stillroom {

/// One job of a sweep, composed.
struct JobRecipe {
    std::string id;  ///< first 12 hex digits of the SHA-256 of its sorted overrides
    std::vector<std::string> overrides;  ///< what this job has beside the common arguments
    Recipe recipe;
};

/// A sweep (`-m`, or a `sweep` block): every job composed before any could run, last key fastest.
STILLROOM_API std::vector<JobRecipe> compose_jobs(Sources& sources,
                                                  const Request& request,
                                                  Diagnostics& diagnostics);

}  // namespace stillroom
