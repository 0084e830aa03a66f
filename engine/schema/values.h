#pragma once

#include "engine/base/decimal.h"
#include "engine/document/node.h"
#include "engine/schema/compiled.h"

#include <optional>
#include <string>
#include <vector>

namespace stillroom {

/// How scalars get their types. `json`: as they were read; a spelled number only where the schema
/// declares one of our formats. `recipe`: the schema has the last word over a plain scalar.
enum class Typing : unsigned char { json, recipe };

/// A value as one schema sees it.
struct View {
    Kind kind = Kind::null;
    std::optional<Decimal> number;  ///< of integers and numbers
};

View view_value(const Node& node, const SubSchema& schema, Typing typing);

/// True if the schema's `type` takes what `view_value` saw.
bool type_accepts(const SubSchema& schema, const View& view);

/// One text for all spellings of a value, and no text for two values: 1 and 1.0, {a, b} and {b, a}.
std::string value_key(const Node& node);

/// The keys under which a value may stand in `enum` or `const`: more than one where a plain scalar
/// of a recipe may be meant as text.
std::vector<std::string> value_keys(const Node& node, const SubSchema& schema, Typing typing);

/// The member of the set that the value equals, or null.
const Node* find_value(const ValueSet& set,
                       const Node& node,
                       const SubSchema& schema,
                       Typing typing);

}  // namespace stillroom
