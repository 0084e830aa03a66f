#pragma once

#include "plugins/lm/parallel/mesh.h"
#include "plugins/lm/train/parameters.h"
#include "plugins/lm/train/state_tensors.h"
#include "plugins/lm/train/state_writer.h"

namespace stillroom::lm {

/// The rank of those that share layers which writes them.
inline bool writes_state(const Mesh& mesh) {
    return mesh.place.tensor == 0 && mesh.place.data == 0;
}

/// This rank's share of a state: a copy, while training goes on; of the `last` what needs none is
/// the parameters' own memory. Called by all ranks; empty on those that do not write.
STILLROOM_API StateShare take_snapshot(const Mesh& mesh,
                                       const Parameters& parameters,
                                       bool last = false);

/// Takes this rank's part of a state, whatever layout wrote it.
STILLROOM_API void restore(const StateTensors& state, Parameters& parameters);

}  // namespace stillroom::lm
