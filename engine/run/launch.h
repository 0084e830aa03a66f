#pragma once

#include "engine/base/api.h"
#include "engine/base/diagnostic.h"
#include "engine/document/node.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace stillroom {

/// How and where workers are started: the chosen option of the group `launch`.
struct Launch {
    enum class Kind { local, slurm, mpi };
    std::string name = "local";
    Kind kind = Kind::local;
    std::vector<std::string> command;  ///< words with {worker} {ranks} {nodes} {ranks_per_node}
    int nodes = 1;
    int ranks_per_node = 0;  ///< 0: ranks over nodes
    int cores = 0;           ///< of all nodes together, that stages may use; never 0 once read
    int devices = 0;
    std::uint64_t memory = 0;
    double timeout = 600;
};

/// How `ranks` ranks lie on the nodes.
struct LaunchShape {
    int nodes = 1;
    int ranks_per_node = 1;
};

/// Throws Error (exit 2) where they do not fit.
STILLROOM_API LaunchShape launch_shape(const Launch& launch, int ranks);

/// The words that start `ranks` ranks of the worker.
STILLROOM_API std::vector<std::string> launch_words(const Launch& launch,
                                                    int ranks,
                                                    const std::vector<std::string>& worker);

}  // namespace stillroom
