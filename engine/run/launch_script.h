#pragma once

#include "engine/base/api.h"

#include <string>
#include <vector>

namespace stillroom {

/// What a batch script of Slurm says.
struct LaunchScript {
    std::string name;                ///< of the recipe
    std::vector<std::string> words;  ///< the recipe and its overrides
    int nodes = 1;
    int ranks_per_node = 1;
    int devices_per_node = 0;
    int cores_per_rank = 8;
    std::string time = "04:00:00";
};

/// The script, for `sbatch`: it runs the recipe, passes signals on, and puts itself into the queue
/// again when the run stopped with its work saved.
STILLROOM_API std::string script_text(const LaunchScript& script);

/// A word as a shell reads it back.
STILLROOM_API std::string shell_quoted(const std::string& word);

}  // namespace stillroom
