#pragma once

#include "engine/base/decimal.h"
#include "engine/document/node.h"
#include "engine/schema/formats.h"
#include "engine/schema/pattern.h"

#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

// The compiled form that the folder shares; other folders use schema.h, validate.h and lookup.h.

namespace stillroom {

/// A set of JSON types.
using TypeSet = std::uint8_t;

constexpr TypeSet type_bit(Kind kind) {
    return static_cast<TypeSet>(1u << static_cast<unsigned>(kind));
}

struct SubSchema;

/// A schema document, or a part of one with an `$id` of its own.
struct SchemaResource {
    std::string uri;
    NodePtr root;
    bool applicator = true, validation = true, unevaluated = true;  // vocabularies in force
    std::unordered_map<std::string, NodePtr> anchors;               // $anchor and $dynamicAnchor
    std::unordered_map<std::string, const SubSchema*> dynamic_anchors;
};

/// The values of `enum` or `const`, in the order they were written, and their spellings by value.
struct ValueSet {
    std::vector<NodePtr> values;
    std::unordered_set<std::string> keys;
};

/// One schema with its keywords looked up, so that checking reads no text.
struct SubSchema {
    NodePtr node;
    const SchemaResource* resource = nullptr;
    std::optional<bool> always;  // the schemas `true` and `false`

    TypeSet types = 0;  // 0: any
    Format format = Format::none;
    std::optional<ValueSet> values;    // enum
    std::optional<ValueSet> constant;  // const
    std::optional<Decimal> minimum, maximum, above, below, multiple_of;
    std::optional<std::size_t> min_length, max_length, min_items, max_items, min_properties,
        max_properties, min_contains, max_contains;
    bool unique_items = false;
    std::optional<Pattern> pattern;
    std::vector<std::string> required;
    std::vector<std::pair<std::string, std::vector<std::string>>> dependent_required;

    std::vector<std::pair<std::string, const SubSchema*>> properties;
    std::unordered_map<std::string_view, const SubSchema*> property_index;
    std::vector<std::pair<Pattern, const SubSchema*>> pattern_properties;
    const SubSchema* additional_properties = nullptr;
    const SubSchema* property_names = nullptr;
    std::vector<std::pair<std::string, const SubSchema*>> dependent_schemas;
    std::vector<const SubSchema*> prefix_items;
    const SubSchema* items = nullptr;
    const SubSchema* contains = nullptr;
    const SubSchema* unevaluated_properties = nullptr;
    const SubSchema* unevaluated_items = nullptr;

    const SubSchema* ref = nullptr;
    const SubSchema* dynamic_ref = nullptr;
    std::string dynamic_anchor;  // the name by which `dynamic_ref` looks outwards; empty: fixed
    std::vector<const SubSchema*> all_of, any_of, one_of;
    const SubSchema* negated = nullptr;  // not
    const SubSchema* condition = nullptr;
    const SubSchema* consequence = nullptr;
    const SubSchema* alternative = nullptr;

    mutable NodePtr filled_default;  // made on first use, shared by every map that lacks the key

    const SubSchema* property(std::string_view name) const {
        auto found = property_index.find(name);
        return found == property_index.end() ? nullptr : found->second;
    }
    bool gathers() const { return unevaluated_properties || unevaluated_items; }
};

class CompiledSchema {
public:
    NodePtr document;
    const SubSchema* root = nullptr;
    std::deque<SubSchema> schemas;  // addresses stay
    std::deque<SchemaResource> resources;
    std::vector<NodePtr> documents;  // kept alive
};

}  // namespace stillroom
