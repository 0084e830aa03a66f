#pragma once

#include "engine/base/api.h"
#include "engine/run/record.h"

#include <exception>

namespace stillroom {

/// What a stage threw, as its result: an Error keeps code, key, hint and notes; no memory and a
/// full or failing disk are 4; what nobody foresaw is 70.
STILLROOM_API Record failed_result(const std::exception_ptr& failure);

}  // namespace stillroom
