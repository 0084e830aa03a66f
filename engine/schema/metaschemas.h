#pragma once

#include "engine/document/node.h"

#include <string>
#include <string_view>
#include <vector>

namespace stillroom {

/// A document of draft 2020-12 itself. The texts lie in schemas/json-schema-2020-12 and are built
/// in, so that `$schema` and `$ref` to them lead somewhere on every machine.
struct BuiltInSchema {
    std::string_view uri;
    std::string_view text;
};

const std::vector<BuiltInSchema>& built_in_schemas();

/// The built-in document with this URI, or null. Its nodes have no places: they belong to no text
/// of the user's.
NodePtr built_in_schema(std::string_view uri);

}  // namespace stillroom
