#pragma once

#include "engine/base/decimal.h"
#include "engine/document/node.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace stillroom {

/// The kind of a plain scalar by YAML 1.2's core rules: null, boolean, integer, number or string.
STILLROOM_API Kind core_kind(std::string_view text);

/// 017, 08, -007: an octal number to some readers, decimal to others.
STILLROOM_API bool has_leading_zero(std::string_view text);

/// The value of an integer or number node as the core rules read it (12, 0x1F, 0o17, 6e9, .5),
/// exactly; nothing for .inf, .nan and other kinds. Override values with `_` between digits count
/// too.
STILLROOM_API std::optional<Decimal> decimal_value(const Node& node);

/// The same as a double, infinities and NaN included. 0 for other kinds.
STILLROOM_API double double_value(const Node& node);

STILLROOM_API bool boolean_value(const Node& node);

/// What people write where a count is wanted: 6000000000, 6_000_000_000, 6e9, 6.0, 0x1F, 0o17 and
/// the suffixes K M B G T (1.5B; upper case). Exact; nothing if it is not of that form.
STILLROOM_API std::optional<Decimal> parse_count(std::string_view text);

/// 5GB (1e9), 5GiB (2^30), 300KB, 12 (bytes).
STILLROOM_API std::optional<Decimal> parse_bytes(std::string_view text);

/// 90s, 90m, 2h, 1.5d, 250ms; a plain number is seconds.
STILLROOM_API std::optional<Decimal> parse_duration(std::string_view text);

}  // namespace stillroom
