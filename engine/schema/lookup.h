#pragma once

#include "engine/document/node.h"
#include "engine/schema/schema.h"

#include <optional>
#include <string>
#include <vector>

namespace stillroom {

/// What a schema says of one key: for help, explain, completion.
struct KeyHelp {
    std::string name;         ///< the key itself
    std::string description;  ///< empty if the schema has none
    std::string type;         ///< "integer (count) ≥ 1", "one of kl, ce", "list of text"
    std::string unit;
    NodePtr default_value;  ///< null: none
    NodePtr examples;       ///< a list; null: none
    bool required = false;
    bool deprecated = false;
    bool has_keys = false;             ///< a map whose keys are known
    std::vector<std::string> choices;  ///< of an enum, a constant or a boolean
    Span where;                        ///< in the schema's file
};

/// The key at a path of keys and list indices below the schema's root; nothing where the schema
/// knows no such key. Looks through references and into every branch of alternatives.
STILLROOM_API std::optional<KeyHelp> look_up_key(const Schema& schema,
                                                 const std::vector<std::string>& path);

/// The keys that a map at this path may have, in the schema's order. Empty where it is no map, or
/// one of free keys.
STILLROOM_API std::vector<KeyHelp> keys_at(const Schema& schema,
                                           const std::vector<std::string>& path);

}  // namespace stillroom
