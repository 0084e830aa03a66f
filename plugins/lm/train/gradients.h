#pragma once

#include "plugins/lm/parallel/mesh.h"
#include "plugins/lm/train/parameters.h"

namespace stillroom::lm {

/// Brings the gradients of all ranks together, after a step's last micro-batch: each rank then has
/// the sums of its own range, and nothing that counts elsewhere.
STILLROOM_API void reduce_gradients(const Mesh& mesh, Parameters& parameters);

/// Gives every rank the weights that others have updated.
STILLROOM_API void share_weights(const Mesh& mesh, Parameters& parameters);

}  // namespace stillroom::lm
