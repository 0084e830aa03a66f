#pragma once

#include "engine/base/diagnostic.h"
#include "engine/document/node.h"
#include "engine/recipe/override.h"

#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace stillroom {

/// One run of a sweep: overrides without any sweep in them, to be applied in order.
struct SweepJob {
    std::string id;      ///< the first 12 digits of `digest`
    std::string digest;  ///< SHA-256, 64 hex digits, of the job's overrides, sorted
    std::vector<Override> overrides;
    std::vector<std::string> texts;  ///< the swept ones alone, as one would type them
};

struct SweepRequest {
    std::vector<Override> overrides;  ///< in command-line order
    NodePtr block;                    ///< the recipe's `sweep`, or null
    bool multirun = false;            ///< `-m`; a block needs none

    /// The options of a group, for `glob`; nothing if it is no group.
    std::function<std::optional<std::vector<std::string>>(const std::string& group)> options;
    std::size_t most_jobs = 10'000;
};

/// The product of all sweeps, those of the block first, the last key fastest. A request without any
/// sweep is one job. Equal jobs become one, with a warning; none at all is a mistake. On mistakes
/// the list is empty.
STILLROOM_API std::vector<SweepJob> expand_jobs(const SweepRequest& request,
                                                Diagnostics& diagnostics);

/// `*` any characters, `?` one, `[abc]`, `[!abc]`, `[a-c]`; case counts.
STILLROOM_API bool glob_matches(std::string_view pattern, std::string_view name);

}  // namespace stillroom
