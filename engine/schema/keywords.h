#pragma once

#include <string_view>

namespace stillroom {

/// What stands at a keyword: one schema, a list of schemas, a map of schemas, or something else.
/// Only there may `$id` and anchors mean something.
enum class KeywordForm : unsigned char { schema, list, map, other };

KeywordForm keyword_form(std::string_view keyword);

}  // namespace stillroom
