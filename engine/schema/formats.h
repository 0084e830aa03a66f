#pragma once

#include "engine/base/decimal.h"

#include <optional>
#include <string_view>

namespace stillroom {

/// The formats that mean something to us. Each says in which spellings a number may be written
/// besides plain digits. All other formats, the standard ones included, are annotations.
enum class Format : unsigned char { none, count, bytes, duration };

STILLROOM_API Format format_named(std::string_view name);

/// The number that a text spells in this format (6B, 5GiB, 90m), or nothing.
STILLROOM_API std::optional<Decimal> spelled_value(Format format, std::string_view text);

/// "6000000000, 6e9, 6B": for messages.
STILLROOM_API std::string_view format_examples(Format format);

}  // namespace stillroom
