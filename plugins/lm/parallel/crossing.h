#pragma once

#include "plugins/lm/modules/decoder.h"
#include "plugins/lm/parallel/comm.h"

namespace stillroom::lm {

/// How the ranks of `tensor`, which share each layer, come together around its matrices. Between
/// layers each has all tokens; with `sequence` each has as many of them, in the order of the ranks,
/// and norms and residuals are shared as well.
STILLROOM_API Crossing crossing_of(const Comm& tensor, bool sequence);

}  // namespace stillroom::lm
