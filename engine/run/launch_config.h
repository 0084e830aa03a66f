#pragma once

#include "engine/base/diagnostic.h"
#include "engine/document/node.h"
#include "engine/recipe/trust.h"
#include "engine/run/launch.h"
#include "engine/run/machine.h"
#include "engine/run/ranks.h"

#include <vector>

namespace stillroom {

/// What decides a launch beside its file.
struct LaunchFacts {
    Ranks ranks;          ///< of the engine: started from outside, its nodes are the launch's
    Machine machine;      ///< one of the hosts; all are taken to be alike
    Variables variables;  ///< of them Slurm's allocation counts
    std::vector<TrustedPath> trusted;  ///< launch_folders()
};

/// The launch of a composed and checked recipe; null: `local`. What the file leaves open comes from
/// the machine, the nodes of `kind: slurm` from the allocation.
///
/// Its `command` counts only where all of its words stand in trusted files; else a mistake (exit
/// 10) that shows the file and its SHA-256.
STILLROOM_API Launch read_launch(const NodePtr& launch,
                                 const LaunchFacts& facts,
                                 Sources& sources,
                                 Diagnostics& diagnostics);

/// The same of the machine at hand.
STILLROOM_API LaunchFacts launch_facts(const Ranks& ranks, std::vector<TrustedPath> trusted);

}  // namespace stillroom
