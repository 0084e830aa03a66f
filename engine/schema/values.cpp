#include "engine/schema/values.h"

#include "engine/document/scalar.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom {
namespace {

constexpr TypeSet kNumeric = type_bit(Kind::integer) | type_bit(Kind::number);

Kind kind_of(const Decimal& number) {
    return number.is_integer() ? Kind::integer : Kind::number;
}

bool is_numeric(Kind kind) {
    return kind == Kind::integer || kind == Kind::number;
}

View number_view(Decimal number) {
    Kind kind = kind_of(number);
    return {kind, std::move(number)};
}

/// As the file reads it. An infinity stays a number without a value, which no type accepts.
View core_view(const Node& node) {
    if (!is_numeric(node.kind))
        return {node.kind, std::nullopt};
    std::optional<Decimal> number = decimal_value(node);
    return number ? number_view(*number) : View{Kind::number, std::nullopt};
}

View json_view(const Node& node, const SubSchema& schema) {
    bool may_be_spelled = node.kind == Kind::string && schema.format != Format::none &&
                          (schema.types & kNumeric) != 0 &&
                          (schema.types & type_bit(Kind::string)) == 0;
    if (may_be_spelled)
        if (std::optional<Decimal> number = spelled_value(schema.format, node.text))
            return number_view(*number);
    return core_view(node);
}

View recipe_view(const Node& node, const SubSchema& schema) {
    if (!node.is_scalar() || node.quoted() || node.is_null() || schema.types == 0)
        return core_view(node);
    bool wants_number = (schema.types & kNumeric) != 0;
    bool wants_text = (schema.types & type_bit(Kind::string)) != 0;
    if (node.kind == Kind::boolean && (schema.types & type_bit(Kind::boolean)) != 0)
        return {Kind::boolean, std::nullopt};
    if (wants_number && !(node.leading_zero && wants_text)) {
        // Where text is wanted too, only what reads as a number anyway is one, or what the format
        // spells.
        bool tries = is_numeric(node.kind) || !wants_text || schema.format != Format::none;
        if (tries)
            if (std::optional<Decimal> number = spelled_value(schema.format, node.text))
                return number_view(*number);
    }
    if (wants_text)
        return {Kind::string, std::nullopt};
    return core_view(node);
}

std::string scalar_key(Kind kind, std::string_view text) {
    return fmt::format("{}{}:{}", static_cast<int>(kind), text.size(), text);
}

std::string number_key(const Decimal& number) {
    return "#" + number.text();
}

void append_key(const Node& node, std::string& out) {
    switch (node.kind) {
        case Kind::null:
            out += 'n';
            return;
        case Kind::boolean:
            out += boolean_value(node) ? 't' : 'f';
            return;
        case Kind::integer:
        case Kind::number: {
            std::optional<Decimal> number = decimal_value(node);
            out += number ? number_key(*number) : fmt::format("#{}", double_value(node));
            return;
        }
        case Kind::string:
            out += scalar_key(Kind::string, node.text);
            return;
        case Kind::list:
            out += '[';
            for (const NodePtr& item : node.items) {
                append_key(*item, out);
                out += ',';
            }
            out += ']';
            return;
        case Kind::map: {
            std::vector<const Entry*> sorted;
            for (const Entry& entry : node.entries)
                sorted.push_back(&entry);
            std::sort(sorted.begin(), sorted.end(), [](const Entry* a, const Entry* b) {
                return a->key < b->key;
            });
            out += '{';
            for (const Entry* entry : sorted) {
                out += scalar_key(Kind::string, entry->key);
                append_key(*entry->value, out);
                out += ',';
            }
            out += '}';
            return;
        }
    }
}

}  // namespace

View view_value(const Node& node, const SubSchema& schema, Typing typing) {
    return typing == Typing::recipe ? recipe_view(node, schema) : json_view(node, schema);
}

bool type_accepts(const SubSchema& schema, const View& view) {
    if (schema.types == 0)
        return true;
    if (view.kind == Kind::number && !view.number)
        return false;
    if ((schema.types & type_bit(view.kind)) != 0)
        return true;
    return view.kind == Kind::integer && (schema.types & type_bit(Kind::number)) != 0;
}

std::string value_key(const Node& node) {
    std::string out;
    append_key(node, out);
    return out;
}

std::vector<std::string> value_keys(const Node& node, const SubSchema& schema, Typing typing) {
    View view = view_value(node, schema, typing);
    std::vector<std::string> keys;
    if (view.number)
        keys.push_back(number_key(*view.number));
    else
        keys.push_back(view.kind == Kind::string && node.is_scalar()
                           ? scalar_key(Kind::string, node.text)
                           : value_key(node));
    bool plain = node.is_scalar() && !node.quoted() && !node.is_null();
    if (typing == Typing::recipe && plain && view.kind != Kind::string)
        keys.push_back(scalar_key(Kind::string, node.text));
    if (typing == Typing::recipe && plain && !view.number)
        if (std::optional<Decimal> number = spelled_value(schema.format, node.text))
            keys.push_back(number_key(*number));
    return keys;
}

const Node* find_value(const ValueSet& set,
                       const Node& node,
                       const SubSchema& schema,
                       Typing typing) {
    for (const std::string& key : value_keys(node, schema, typing)) {
        if (!set.keys.contains(key))
            continue;
        for (const NodePtr& value : set.values)
            if (value_key(*value) == key)
                return value.get();
    }
    return nullptr;
}

}  // namespace stillroom
