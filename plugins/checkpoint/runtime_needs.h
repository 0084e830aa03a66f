#pragma once

#include "plugins/checkpoint/inspection.h"

#include <string>
#include <vector>

namespace stillroom::checkpoint {

/// What a runtime needs to load the model, a sentence each: whether it does, over how many devices,
/// which of its types the shapes allow.
std::vector<std::string> needs_of(const Inspection& found, const std::string& runtime);

}  // namespace stillroom::checkpoint
