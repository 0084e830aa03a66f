#pragma once

#include "engine/recipe/override_value.h"

#include <string>
#include <vector>

namespace stillroom {

/// The value of a call: choice range interval glob tag sort shuffle int float bool str extend_list
/// logrange. Throws OverrideMistake.
///
/// shuffle is Fisher and Yates's, driven by SplitMix64 from a fixed seed, so that a rerun has the
/// same order. logrange's inner points are rounded to 12 digits, its ends exact.
Element call_function(Call& call);

/// Their names, sorted.
const std::vector<std::string>& function_names();

}  // namespace stillroom
