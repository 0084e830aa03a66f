#include "engine/schema/wording.h"

#include "engine/base/codes.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/document/scalar.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>

namespace stillroom {
namespace {

constexpr std::size_t kMostValues = 12;

bool is_word(const Node& node, std::initializer_list<std::string_view> words) {
    return !node.quoted() && std::find(words.begin(), words.end(), node.text) != words.end();
}

std::string boolean_hint(const Node& node) {
    if (is_word(node, {"no", "No", "NO", "off", "Off", "OFF", "n", "N"}))
        return "write false";
    if (is_word(node, {"yes", "Yes", "YES", "on", "On", "ON", "y", "Y"}))
        return "write true";
    return "";
}

/// " steps", and of one " step".
std::string unit_text(const SubSchema& schema, const Decimal& count) {
    NodePtr unit = schema.node->get("x-unit");
    if (!unit || !unit->is_scalar())
        return "";
    std::string text = " " + unit->text;
    if (count == Decimal(1) && text.ends_with('s'))
        text.erase(text.size() - (text.ends_with("ches") || text.ends_with("sses") ? 2 : 1));
    return text;
}

/// " (at least 1)", " (0 to 5)": of a number alone, beside other types it would be misread.
std::string range_words(const SubSchema& schema) {
    TypeSet numbers = type_bit(Kind::integer) | type_bit(Kind::number);
    if (schema.types == 0 || (schema.types & ~numbers) != 0)
        return "";
    if (schema.minimum && schema.maximum)
        return fmt::format(" ({} to {})", schema.minimum->text(), schema.maximum->text());
    if (schema.minimum)
        return fmt::format(" (at least {})", schema.minimum->text());
    if (schema.above)
        return fmt::format(" (above {})", schema.above->text());
    if (schema.maximum)
        return fmt::format(" (at most {})", schema.maximum->text());
    return schema.below ? fmt::format(" (below {})", schema.below->text()) : "";
}

std::string plain_value(const Node& node) {
    return node.is_scalar() ? escape_controls(shorten(node.text, 40))
                            : std::string(kind_name(node.kind));
}

std::string member_text(const Node& node) {
    if (!node.is_scalar()) {
        JsonWriter out;
        write_json(out, node);
        return escape_controls(shorten(out.take(), 40));
    }
    return node.is_null() ? "null" : escape_controls(shorten(node.text, 40));
}

/// The text without the zeros that make it ambiguous.
std::string without_zeros(std::string_view text) {
    std::string sign;
    if (!text.empty() && (text[0] == '-' || text[0] == '+')) {
        sign = text[0] == '-' ? "-" : "";
        text.remove_prefix(1);
    }
    text.remove_prefix(std::min(text.find_first_not_of('0'), text.size() - 1));
    return sign + std::string(text);
}

void gather_keys(const SubSchema& schema,
                 std::vector<std::string>& out,
                 std::unordered_set<const SubSchema*>& seen) {
    if (!seen.insert(&schema).second)
        return;
    for (const auto& [name, property] : schema.properties)
        if (property->always != false)
            out.push_back(name);
    for (const SubSchema* each :
         {schema.ref, schema.dynamic_ref, schema.condition, schema.consequence, schema.alternative})
        if (each)
            gather_keys(*each, out, seen);
    for (const auto* list : {&schema.all_of, &schema.any_of, &schema.one_of})
        for (const SubSchema* each : *list)
            gather_keys(*each, out, seen);
}

}  // namespace

std::string at_name(const Step& at) {
    std::string name;
    for (const Step* step = &at; step; step = step->parent) {
        bool before_key = !name.empty() && name.front() != '[';
        if (step->entry)
            name = step->entry->key + (before_key ? "." : "") + name;
        else if (step->parent)
            name = fmt::format("[{}]{}{}", step->index, before_key ? "." : "", name);
    }
    return name;
}

std::string quoted_name(std::string_view name) {
    return name.empty() ? "the value" : fmt::format("'{}'", escape_controls(shorten(name, 60)));
}

std::string type_words(TypeSet types, Format format) {
    constexpr std::pair<Kind, std::string_view> kWords[] = {{Kind::integer, "an integer"},
                                                            {Kind::number, "a number"},
                                                            {Kind::boolean, "true or false"},
                                                            {Kind::string, "text"},
                                                            {Kind::list, "a list"},
                                                            {Kind::map, "a map"},
                                                            {Kind::null, "null"}};
    std::vector<std::string> words;
    for (const auto& [kind, word] : kWords) {
        if ((types & type_bit(kind)) == 0)
            continue;
        words.emplace_back(word);
        bool numeric = kind == Kind::integer || kind == Kind::number;
        if (numeric && format == Format::bytes)
            words.back() += " of bytes";
        if (numeric && format == Format::duration)
            words.back() += " of seconds";
    }
    return join(words, "or");
}

TypeProblem type_problem(const SubSchema& schema,
                         const Node& node,
                         const View& view,
                         Typing typing,
                         std::string_view name) {
    bool numeric = (schema.types & (type_bit(Kind::integer) | type_bit(Kind::number))) != 0;
    TypeProblem out;
    out.code = code::kWrongType;
    if (typing == Typing::recipe && numeric && node.leading_zero) {
        out.code = code::kAmbiguousZero;
        out.message =
            fmt::format("{} is {}: ambiguous leading zero", quoted_name(name), plain_value(node));
        out.hint = fmt::format("write {}", without_zeros(node.text));
        return out;
    }
    std::string wanted = type_words(schema.types, schema.format) + range_words(schema);
    bool whole = view.number && view.number->is_integer();
    if (view.number && numeric && whole) {
        out.message = fmt::format(
            "{} is {}, which does not fit 64 bits", quoted_name(name), plain_value(node));
        return out;
    }
    out.message =
        fmt::format("{} must be {}, not {}", quoted_name(name), wanted, describe_value(node));
    bool wants_boolean = (schema.types & type_bit(Kind::boolean)) != 0;
    if (wants_boolean)
        out.hint = boolean_hint(node);
    bool quoted = node.quoted() && (numeric || wants_boolean);
    bool would_fit = quoted && (numeric ? spelled_value(schema.format, node.text).has_value()
                                        : node.text == "true" || node.text == "false");
    if (out.hint.empty() && would_fit && typing == Typing::recipe)
        out.hint = "take the quotes off";
    if (out.hint.empty() && numeric && schema.format != Format::none && node.kind == Kind::string)
        out.hint = fmt::format("write it as one of {}", format_examples(schema.format));
    if (out.hint.empty() && node.is_null())
        out.hint = "give a value, or remove the key";
    return out;
}

std::string value_list(const ValueSet& set, std::string_view last) {
    std::vector<std::string> words;
    for (const NodePtr& value : set.values) {
        if (words.size() == kMostValues) {
            words.push_back(fmt::format("{} more", set.values.size() - kMostValues));
            break;
        }
        words.push_back(member_text(*value));
    }
    return join(words, last);
}

std::string values_text(const ValueSet& set, const Node& node, std::string_view name) {
    return fmt::format("{} must be {}{}, not {}",
                       quoted_name(name),
                       set.values.size() > 1 ? "one of " : "",
                       value_list(set),
                       describe_value(node));
}

std::string values_hint(const ValueSet& set, const Node& node) {
    std::vector<std::string> names;
    bool has_boolean = false;
    for (const NodePtr& value : set.values) {
        if (value->kind == Kind::string)
            names.push_back(value->text);
        has_boolean = has_boolean || value->kind == Kind::boolean;
    }
    if (has_boolean)
        if (std::string hint = boolean_hint(node); !hint.empty())
            return hint;
    return node.is_scalar() ? did_you_mean(node.text, names) : std::string();
}

std::string bound_text(std::string_view name,
                       const Node& node,
                       std::string_view words,
                       const Decimal& limit,
                       const SubSchema& schema) {
    return fmt::format("{} is {}, but must be {} {}{}",
                       quoted_name(name),
                       plain_value(node),
                       words,
                       limit.text(),
                       unit_text(schema, limit));
}

std::string size_text(std::size_t size,
                      const std::optional<std::size_t>& least,
                      const std::optional<std::size_t>& most,
                      std::string_view noun) {
    bool low = least && size < *least;
    bool high = most && size > *most;
    if (!low && !high)
        return "";
    return fmt::format("has {}, but {} at {} {}",
                       plural(size, noun),
                       low ? "needs" : "may have",
                       low ? "least" : "most",
                       low ? *least : *most);
}

std::string pattern_text(std::string_view name,
                         const Node& node,
                         const SubSchema& schema,
                         Pattern::Match match) {
    NodePtr pattern = schema.node->get("pattern");
    std::string text = pattern ? escape_controls(shorten(pattern->text, 80)) : std::string();
    if (match == Pattern::Match::too_costly)
        return fmt::format("{} takes too long to compare with {}", quoted_name(name), text);
    return fmt::format(
        "{} is {}, which does not match {}", quoted_name(name), describe_value(node), text);
}

std::string contains_text(std::string_view name,
                          std::size_t found,
                          std::size_t least,
                          const SubSchema& schema) {
    bool low = found < least;
    return fmt::format("{} has {} of the kind asked for, but {} at {} {}",
                       quoted_name(name),
                       plural(found, "item"),
                       low ? "needs" : "may have",
                       low ? "least" : "most",
                       low ? least : schema.max_contains.value_or(0));
}

std::string pattern_hint(const SubSchema& schema) {
    NodePtr examples = schema.node->get("examples");
    NodePtr value = schema.node->get("default");
    std::vector<std::string> words;
    if (examples && examples->is_list())
        for (const NodePtr& example : examples->items)
            words.push_back(member_text(*example));
    else if (value && value->kind == Kind::string)
        words.push_back(member_text(*value));
    return words.empty() ? "" : fmt::format("for example {}", join(words, "or"));
}

const SubSchema& followed(const SubSchema& schema) {
    const SubSchema* at = &schema;
    for (int steps = 0; at->ref && steps < 16; ++steps)
        at = at->ref;
    return *at;
}

std::string key_name_hint(const SubSchema& schema, std::string_view key) {
    const SubSchema& names = followed(schema);
    std::vector<std::string> known;
    if (names.values)
        for (const NodePtr& value : names.values->values)
            known.push_back(value->text);
    return did_you_mean(key, known);
}

std::string key_name_text(const SubSchema& schema, std::string_view key) {
    const SubSchema& names = followed(schema);
    std::string rule;
    if (NodePtr pattern = names.node->get("pattern"); pattern && names.pattern)
        rule = fmt::format(": names match {}", escape_controls(shorten(pattern->text, 80)));
    else if (names.values)
        rule = fmt::format(": names are {}", value_list(*names.values));
    return fmt::format("'{}' is no name for a key here{}", escape_controls(shorten(key, 60)), rule);
}

std::string forbidden_text(std::string_view name) {
    return fmt::format("{} is not allowed here", quoted_name(name));
}

std::string negated_text(std::string_view name, const Node& node, const SubSchema& negated) {
    if (negated.values || negated.constant)
        return fmt::format("{} must not be {}", quoted_name(name), describe_value(node));
    if (!negated.required.empty() && node.is_map())
        return fmt::format("{} must not have {} {}",
                           quoted_name(name),
                           negated.required.size() == 1 ? "the key" : "together the keys",
                           join(negated.required));
    return fmt::format(
        "{} is {}, which the schema excludes", quoted_name(name), describe_value(node));
}

std::string missing_hint(const SubSchema& schema, const std::string& name) {
    const SubSchema* property = schema.property(name);
    NodePtr description = property ? property->node->get("description") : nullptr;
    if (!description || !description->is_scalar())
        return "";
    return fmt::format("{}: {}", name, escape_controls(shorten(description->text, 120)));
}

bool misspelt(const SubSchema& schema, const Node& map, const std::string& missing) {
    if (!schema.additional_properties || schema.additional_properties->always != false)
        return false;
    for (const Entry& entry : map.entries) {
        if (schema.property(entry.key))
            continue;
        std::vector<std::string> names = known_keys(schema);
        std::erase_if(names, [&](const std::string& name) { return map.find(name) != nullptr; });
        std::vector<std::string> close = nearest(entry.key, names);
        if (std::find(close.begin(), close.end(), missing) != close.end())
            return true;
    }
    return false;
}

std::vector<std::string> known_keys(const SubSchema& schema) {
    std::vector<std::string> out;
    std::unordered_set<const SubSchema*> seen;
    gather_keys(schema, out, seen);
    std::unordered_set<std::string> once;
    std::erase_if(out, [&](const std::string& name) { return !once.insert(name).second; });
    return out;
}

}  // namespace stillroom
