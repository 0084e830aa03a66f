#pragma once

#include "engine/base/api.h"

#include <exception>

namespace stillroom {

/// What a library's exception means to who runs a stage: throws that as an Error, or returns where
/// it means nothing known.
using Explain = void (*)(const std::exception_ptr& failure);

/// For a second half whose library throws types of its own: from now on it is asked what a failure
/// means before the engine tells it. One at a time, the newest.
STILLROOM_API void explain_failures(Explain explain);

/// The failure as it is to be told.
STILLROOM_API std::exception_ptr explained(const std::exception_ptr& failure) noexcept;

}  // namespace stillroom
