#include "engine/schema/lookup.h"

#include "engine/base/text.h"
#include "engine/document/scalar.h"
#include "engine/schema/compiled.h"
#include "engine/schema/wording.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom {
namespace {

constexpr std::size_t kMostForms = 500;  // schemas that may stand for one value

bool is_index(const std::string& step) {
    return !step.empty() && step.find_first_not_of("0123456789") == std::string::npos;
}

/// A schema and all those that may say something about the same value.
void gather_forms(const SubSchema& schema, std::vector<const SubSchema*>& out) {
    if (out.size() > kMostForms || std::find(out.begin(), out.end(), &schema) != out.end())
        return;
    out.push_back(&schema);
    for (const SubSchema* each :
         {schema.ref, schema.condition, schema.consequence, schema.alternative})
        if (each)
            gather_forms(*each, out);
    for (const auto* list : {&schema.all_of, &schema.any_of, &schema.one_of})
        for (const SubSchema* each : *list)
            gather_forms(*each, out);
}

std::vector<const SubSchema*> forms(const SubSchema& schema) {
    std::vector<const SubSchema*> out;
    gather_forms(schema, out);
    return out;
}

/// The schemas of a child, or none.
std::vector<const SubSchema*> step_into(const std::vector<const SubSchema*>& at,
                                        const std::string& step) {
    std::vector<const SubSchema*> next;
    for (const SubSchema* schema : at) {
        if (const SubSchema* property = schema->property(step)) {
            gather_forms(*property, next);
            continue;
        }
        const SubSchema* rest = schema->additional_properties;
        if (rest && !rest->always)
            gather_forms(*rest, next);
        if (is_index(step) && schema->items)
            gather_forms(*schema->items, next);
    }
    return next;
}

std::vector<const SubSchema*> walk(const Schema& schema, const std::vector<std::string>& path) {
    std::vector<const SubSchema*> at = forms(schema.root());
    for (const std::string& step : path)
        at = step_into(at, step);
    return at;
}

std::string bounds(const SubSchema& schema) {
    std::string out;
    auto add = [&](const std::optional<Decimal>& limit, std::string_view sign) {
        if (limit)
            out += fmt::format("{} {} {}", out.empty() ? "" : ",", sign, limit->text());
    };
    add(schema.minimum, "≥");
    add(schema.above, ">");
    add(schema.maximum, "≤");
    add(schema.below, "<");
    return out;
}

std::string format_words(Format format) {
    switch (format) {
        case Format::count:
            return " (count)";
        case Format::bytes:
            return " (bytes)";
        case Format::duration:
            return " (duration)";
        case Format::none:
            break;
    }
    return "";
}

std::string type_text(const SubSchema& schema, int depth);

std::string list_text(const SubSchema& schema, int depth) {
    std::string out = "list";
    if (schema.items)
        if (std::string item = type_text(*schema.items, depth + 1); !item.empty())
            out += " of " + item;
    if (schema.min_items && schema.min_items == schema.max_items)
        out += fmt::format(", {} long", *schema.min_items);
    return out;
}

std::string map_text(const SubSchema& schema, int depth) {
    bool open = schema.properties.empty() && schema.additional_properties &&
                !schema.additional_properties->always;
    std::string values = open ? type_text(*schema.additional_properties, depth + 1) : "";
    return values.empty() ? "map" : "map to " + values;
}

std::string one_type(const SubSchema& schema, Kind kind, int depth) {
    switch (kind) {
        case Kind::integer:
            return "integer" + format_words(schema.format) + bounds(schema);
        case Kind::number:
            return "number" + format_words(schema.format) + bounds(schema);
        case Kind::boolean:
            return "boolean";
        case Kind::string:
            return "text";
        case Kind::list:
            return list_text(schema, depth);
        case Kind::map:
            return map_text(schema, depth);
        case Kind::null:
            return "null";
    }
    return "";
}

std::string type_text(const SubSchema& schema, int depth) {
    constexpr Kind kOrder[] = {Kind::integer,
                               Kind::number,
                               Kind::boolean,
                               Kind::string,
                               Kind::list,
                               Kind::map,
                               Kind::null};
    if (depth > 8)
        return "";
    if (schema.constant)
        return value_list(*schema.constant);
    if (schema.values)
        return (schema.values->values.size() > 1 ? "one of " : "") + value_list(*schema.values);
    std::vector<std::string> words;
    for (Kind kind : kOrder)
        if ((schema.types & type_bit(kind)) != 0)
            words.push_back(one_type(schema, kind, depth));
    if (NodePtr port = schema.node->get("x-port"))
        words.push_back((schema.node->find("x-many") ? "list of " : "") + port->text);
    if (words.empty())
        for (const auto* branches : {&schema.any_of, &schema.one_of})
            for (const SubSchema* branch : *branches)
                if (std::string word = type_text(*branch, depth + 1); !word.empty())
                    words.push_back(word);
    if (words.empty() && schema.ref)
        return type_text(*schema.ref, depth + 1);
    std::vector<std::string> once;
    for (std::string& word : words)
        if (std::find(once.begin(), once.end(), word) == once.end())
            once.push_back(std::move(word));
    return join(once, "or");
}

/// The first of the forms that has the keyword.
NodePtr first_of(const std::vector<const SubSchema*>& all, std::string_view keyword) {
    for (const SubSchema* schema : all)
        if (NodePtr value = schema->node->get(keyword))
            return value;
    return nullptr;
}

std::vector<std::string> choices_of(const std::vector<const SubSchema*>& all) {
    std::vector<std::string> out;
    auto add = [&](const std::string& word) {
        if (std::find(out.begin(), out.end(), word) == out.end())
            out.push_back(word);
    };
    for (const SubSchema* schema : all) {
        for (const std::optional<ValueSet>* set : {&schema->values, &schema->constant})
            if (*set)
                for (const NodePtr& value : (*set)->values)
                    if (value->is_scalar())
                        add(value->text);
        if ((schema->types & type_bit(Kind::boolean)) != 0) {
            add("true");
            add("false");
        }
    }
    return out;
}

bool has_known_keys(const std::vector<const SubSchema*>& all) {
    return std::any_of(
        all.begin(), all.end(), [](const SubSchema* each) { return !each->properties.empty(); });
}

KeyHelp help_of(const std::string& name, const std::vector<const SubSchema*>& all) {
    KeyHelp help;
    help.name = name;
    if (NodePtr text = first_of(all, "description"))
        help.description = text->text;
    if (NodePtr text = first_of(all, "x-unit"))
        help.unit = text->text;
    help.type = type_text(*all.front(), 0);
    help.default_value = first_of(all, "default");
    help.examples = first_of(all, "examples");
    NodePtr deprecated = first_of(all, "deprecated");
    help.deprecated = deprecated && boolean_value(*deprecated);
    help.has_keys = has_known_keys(all);
    help.choices = choices_of(all);
    help.where = all.front()->node->where;
    return help;
}

bool is_required(const std::vector<const SubSchema*>& parents, const std::string& name) {
    return std::any_of(parents.begin(), parents.end(), [&](const SubSchema* parent) {
        const std::vector<std::string>& names = parent->required;
        return parent->property(name) && std::find(names.begin(), names.end(), name) != names.end();
    });
}

}  // namespace

std::optional<KeyHelp> look_up_key(const Schema& schema, const std::vector<std::string>& path) {
    std::vector<const SubSchema*> all = walk(schema, path);
    if (all.empty())
        return std::nullopt;
    KeyHelp help = help_of(path.empty() ? "" : path.back(), all);
    if (!path.empty())
        help.required = is_required(walk(schema, {path.begin(), path.end() - 1}), path.back());
    return help;
}

std::vector<KeyHelp> keys_at(const Schema& schema, const std::vector<std::string>& path) {
    std::vector<const SubSchema*> parents = walk(schema, path);
    std::vector<KeyHelp> out;
    for (const SubSchema* parent : parents)
        for (const auto& [name, property] : parent->properties) {
            const std::string& wanted = name;  // clang 14 captures no binding
            bool known = std::any_of(
                out.begin(), out.end(), [&](const KeyHelp& help) { return help.name == wanted; });
            if (known || property->always)
                continue;
            out.push_back(help_of(name, forms(*property)));
            out.back().required = is_required(parents, name);
        }
    return out;
}

}  // namespace stillroom
