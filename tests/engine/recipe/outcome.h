#pragma once

#include "engine/document/node.h"
#include "engine/recipe/override.h"

#include <string>

namespace stillroom::test {

/// A value as the case files write it: int 1, float 1.5, true, null, "text", Q"quoted", [..], {..}.
std::string outcome(const Node& value);

/// An override as the case files write it: `a.b = int 1`, `add a = ..`, `a/b (group) = ..`,
/// `a = choice(..)`.
std::string outcome(const Override& override);

}  // namespace stillroom::test
