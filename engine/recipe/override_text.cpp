// How overrides are spelled: for messages, and so that equal jobs have equal ids.
#include "engine/base/codes.h"
#include "engine/base/text.h"
#include "engine/recipe/override.h"
#include "engine/recipe/primitive.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom {
namespace {

/// Backslashes count double before a quote, so that only those are doubled.
std::string in_quotes(std::string_view text) {
    std::string out = "'";
    std::size_t slashes = 0;
    for (char c : text) {
        if (c == '\'')
            out.append(slashes + 1, '\\');
        out.push_back(c);
        slashes = c == '\\' ? slashes + 1 : 0;
    }
    out.append(slashes, '\\');
    return out + "'";
}

/// True for characters that no escape lets stand unquoted; inside `${...}` anything may.
bool needs_quotes(std::string_view text, bool is_key) {
    if (text.empty())
        return true;
    for (std::size_t i = 0; i < text.size(); ++i) {
        std::size_t length = is_key ? 0 : interpolation_length(text.substr(i));
        if (length > 0) {
            i += length - 1;
            continue;
        }
        char c = text[i];
        if (c == '\'' || c == '"' || c == '`' || c == 0x7F ||
            (static_cast<unsigned char>(c) < 0x20 && c != '\t'))
            return true;
    }
    return false;
}

/// With the escapes that make it one unquoted text.
std::string unquoted(std::string_view text, bool is_key) {
    std::string out;
    std::string_view special = is_key ? "()[]{},:" : "()[]{},";
    for (std::size_t i = 0; i < text.size(); ++i) {
        char c = text[i];
        std::size_t length = is_key ? 0 : interpolation_length(text.substr(i));
        if (length > 0) {
            out += text.substr(i, length);
            i += length - 1;
            continue;
        }
        bool at_edge = i == 0 || i + 1 == text.size() || text[i - 1] == ':';
        bool escape =
            special.find(c) != std::string_view::npos || (c == '=' && i == 0) ||
            (is_blank(c) && (at_edge || is_blank(text[i - 1]) || is_blank(text[i + 1]))) ||
            (c == '\\' && i + 1 < text.size() && is_escapable(text[i + 1])) ||
            (c == '\\' && i + 1 == text.size());
        if (escape)
            out.push_back('\\');
        out.push_back(c);
    }
    return out;
}

std::string spell(const Node& value, bool inside) {
    if (value.is_list()) {
        std::string out = "[";
        for (const NodePtr& item : value.items)
            out += (out.size() > 1 ? "," : "") + spell(*item, true);
        return out + "]";
    }
    if (value.is_map()) {
        std::string out = "{";
        for (const Entry& entry : value.entries)
            out +=
                (out.size() > 1 ? "," : "") +
                (needs_quotes(entry.key, true) ? in_quotes(entry.key) : unquoted(entry.key, true)) +
                ":" + spell(*entry.value, true);
        return out + "}";
    }
    if (value.is_null())
        return "null";
    if (value.kind != Kind::string)
        return value.text;
    if (value.text.empty() && !inside && !value.quoted())
        return "";
    bool plain = !value.quoted() && !needs_quotes(value.text, false) &&
                 primitive_kind(value.text) == Kind::string;
    return plain ? unquoted(value.text, false) : in_quotes(value.text);
}

std::string_view operator_sign(OverrideKind kind) {
    switch (kind) {
        case OverrideKind::append:
            return "+=";
        case OverrideKind::prepend:
            return "^=";
        case OverrideKind::subtract:
            return "-=";
        case OverrideKind::replace:
            return ":=";
        default:
            return "=";
    }
}

}  // namespace

std::string spell_key(const Override& override) {
    std::string out = override.kind == OverrideKind::add         ? "+"
                      : override.kind == OverrideKind::force_add ? "++"
                      : override.kind == OverrideKind::remove    ? "~"
                                                                 : "";
    if (override.is_group && override.key.find('/') == std::string::npos)
        out += "/";
    out += override.key;
    if (override.package)
        out += "@" + *override.package;
    if (override.kind == OverrideKind::remove && !override.value && !override.sweep)
        return out;
    return out + std::string(operator_sign(override.kind));
}

std::string spell_value(const Node& value) {
    return spell(value, false);
}

Diagnostic sweep_needs_multirun(const Override& override) {
    Diagnostic out;
    out.code = code::kNeedsMultirun;
    out.where = override.value_where;
    out.key = override.key;
    bool listed = override.sweep && override.sweep->form == Sweep::Form::choice;
    if (!listed) {
        out.message = fmt::format("'{}' is a sweep, which makes several jobs", override.key);
        out.hint = fmt::format(
            "for one job give it one value; for all of them add -m; to mean the "
            "text itself quote it: {}'..'",
            spell_key(override));
        return out;
    }
    std::string values;
    for (const NodePtr& value : override.sweep->values)
        values += (values.empty() ? "" : ",") + spell(*value, true);
    values = shorten(values, 60);
    std::string key = spell_key(override);
    out.message = fmt::format("'{}' has {}, which makes several jobs",
                              override.key,
                              plural(override.sweep->values.size(), "value"));
    out.hint = fmt::format("for a list write {}[{}]; for one text write {}{}; for a sweep add -m",
                           key,
                           values,
                           key,
                           in_quotes(values));
    return out;
}

}  // namespace stillroom
