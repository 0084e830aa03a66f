#pragma once

#include "engine/base/api.h"

#include <cstddef>
#include <string>
#include <string_view>

namespace stillroom {

/// What stands behind a backslash in a JSON text: reads it at `at`, which is moved, and appends the
/// character. Returns why it cannot, with `at` at the fault; else nothing. For every reader of JSON
/// with a purpose of its own.
STILLROOM_API std::string_view read_json_escape(std::string_view text,
                                                std::size_t& at,
                                                std::string& out);

}  // namespace stillroom
