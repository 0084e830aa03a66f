#pragma once

#include "plugins/lm/parallel/mesh.h"
#include "plugins/lm/train/lent.h"
#include "plugins/lm/train/parameters.h"
#include "plugins/lm/train/state_tensors.h"
#include "plugins/lm/train/state_writer.h"

namespace stillroom::lm {

/// The rank of those that share layers which writes them.
inline bool writes_state(const Mesh& mesh) {
    return mesh.place.tensor == 0 && mesh.place.data == 0;
}

/// This rank's share of a state.
struct Snapshot {
    StateShare share;
    /// Of a training that goes on: asked for copy_rest() before its numbers change. Null: those of
    /// the share are its own, or will not change.
    std::shared_ptr<Lent> lent;
};

/// What no other rank has a part of is not copied, only lent. `last`: nothing is learnt after it.
/// Called by all ranks; empty on those that do not write.
STILLROOM_API Snapshot take_snapshot(const Mesh& mesh, const Parameters& parameters, bool last);

/// Takes this rank's part of a state, whatever layout wrote it.
STILLROOM_API void restore(const StateTensors& state, Parameters& parameters);

}  // namespace stillroom::lm
