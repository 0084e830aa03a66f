#pragma once

#include "engine/document/node.h"

#include <string>

namespace stillroom {

/// The value as JSON in its one canonical spelling (RFC 8785): keys sorted, no blanks, numbers as
/// ECMAScript writes them. What has no number there is text: infinities, NaN, and an integer that
/// no double holds, so that 9007199254740993 is not its neighbour.
STILLROOM_API std::string canonical_json(const Node& value);

}  // namespace stillroom
