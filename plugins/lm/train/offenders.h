#pragma once

#include "plugins/lm/train/parameters.h"

#include <string>
#include <vector>

namespace stillroom::lm {

/// Which tensors a loss or a gradient that is no number may come from, as sentences: those of this
/// rank that are not finite themselves, and the largest weights where all of them are.
STILLROOM_API std::vector<std::string> offenders(const Parameters& parameters);

}  // namespace stillroom::lm
