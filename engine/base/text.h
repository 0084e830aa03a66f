#pragma once

#include "engine/base/api.h"

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom {

/// The first byte that is not well-formed UTF-8 (overlong forms and surrogates are not), or
/// nothing.
STILLROOM_API std::optional<std::size_t> find_invalid_utf8(std::string_view text);

/// The code point at `offset`, which is moved past it. The text must be valid UTF-8.
STILLROOM_API char32_t decode_utf8(std::string_view text, std::size_t& offset);
STILLROOM_API void append_utf8(std::string& out, char32_t code_point);

/// Control characters, escape codes and bidirectional marks become \n, \x1b, \u202e, so that a name
/// cannot draw on the terminal.
STILLROOM_API std::string escape_controls(std::string_view text);

/// Columns that a terminal gives to the text: wide East Asian characters and emoji take two,
/// combining marks none.
STILLROOM_API int display_width(std::string_view text);

/// At most `limit` characters, with "..." where it was cut.
STILLROOM_API std::string shorten(std::string_view text, std::size_t limit);

/// Edits (insert, remove, replace, swap neighbours) between two names, counted up to `limit` + 1.
/// '-' equals '_'.
STILLROOM_API int edit_distance(std::string_view a, std::string_view b, int limit);

/// Up to three of the candidates within two edits of `name` (one edit for names of two letters),
/// nearest first.
STILLROOM_API std::vector<std::string> nearest(std::string_view name,
                                               std::span<const std::string> candidates);

/// "did you mean 'a'?", "did you mean 'a', 'b' or 'c'?", or nothing.
STILLROOM_API std::string did_you_mean(std::string_view name,
                                       std::span<const std::string> candidates);

/// "a, b and c", or "a, b or c" with that word.
STILLROOM_API std::string join(std::span<const std::string> words, std::string_view last = "and");

STILLROOM_API std::vector<std::string> split(std::string_view text, char separator);
STILLROOM_API std::string_view trim(std::string_view text);

/// 0, '1 key', '2 keys'.
STILLROOM_API std::string plural(std::size_t count, std::string_view noun);

}  // namespace stillroom
