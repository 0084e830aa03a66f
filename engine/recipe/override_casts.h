#pragma once

#include "engine/base/decimal.h"
#include "engine/recipe/override_value.h"

#include <string>

namespace stillroom {

enum class Cast : std::uint8_t { to_int, to_float, to_bool, to_str };

/// int(..), float(..), bool(..), str(..) of one element: over the items of lists, the values of
/// maps and the values of choices. Throws OverrideMistake at `where`.
Element cast_element(const Element& element, Cast cast, Span where);

/// A number as `str` and Python spell it: 1000000.0, 1e-05, inf.
std::string float_text(double value);

/// A node of kind number: "0.25", "3.0".
NodePtr make_number(const Decimal& value, Span where);
NodePtr make_integer(std::int64_t value, Span where);

}  // namespace stillroom
