#pragma once

#include "engine/document/node.h"

#include <string>

namespace stillroom {

/// The text as a file would give it again: of a secret the reference, which is all it ever holds.
std::string spelled_text(const Node& node);

}  // namespace stillroom
