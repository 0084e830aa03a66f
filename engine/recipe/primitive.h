#pragma once

#include "engine/base/api.h"
#include "engine/document/node.h"

#include <string_view>

namespace stillroom {

// What override values and the arguments of resolvers share.

/// The kind of an unquoted value: an integer, number, boolean or null only if the whole text is one
/// (1_000, 1e9, inf, TrUe), else text.
STILLROOM_API Kind primitive_kind(std::string_view text);

/// A letter or '_', then letters, digits, '_' and '-'. Its length from the start of the text, or 0.
std::size_t identifier_length(std::string_view text);

/// 0, or a digit from 1 to 9 and digits, single '_' between. Its length, or 0.
std::size_t unsigned_length(std::string_view text);

/// Characters that a backslash takes the meaning from: \ ( ) [ ] { } : = , blank and tab.
inline bool is_escapable(char c) {
    return std::string_view("\\()[]{}:=, \t").find(c) != std::string_view::npos;
}

inline bool is_blank(char c) {
    return c == ' ' || c == '\t';
}

/// The length of a `${...}` at the start of the text, braces matched and quotes inside a call's
/// arguments skipped; 0 if it is not closed or empty.
std::size_t interpolation_length(std::string_view text);

}  // namespace stillroom
