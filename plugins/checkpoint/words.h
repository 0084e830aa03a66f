#pragma once

#include "plugins/lm/config/grouped.h"

namespace stillroom::checkpoint {

using lm::grouped;

}  // namespace stillroom::checkpoint
