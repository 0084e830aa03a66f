#include "plugins/lm/config/config_text.h"

#include "engine/base/error.h"
#include "engine/base/json.h"
#include "plugins/lm/config/config_parser.h"

#include <fmt/format.h>

#include <algorithm>
#include <cassert>
#include <charconv>
#include <cmath>

namespace stillroom::lm {
namespace {

std::string_view between(std::string_view text, std::size_t begin, std::size_t end) {
    return text.substr(begin, end - begin);
}

/// What stands before the first thing in a bracket, between two things, and behind the last.
struct Spacing {
    std::string_view before, separator, after;
};

Spacing spacing_of(std::string_view text,
                   const ConfigValue& bracket,
                   std::size_t first_begin,
                   std::size_t first_end,
                   std::size_t second_begin,
                   std::size_t last_end) {
    Spacing out;
    out.before = between(text, bracket.begin + 1, first_begin);
    out.after = between(text, last_end, bracket.end - 1);
    if (second_begin != 0)
        out.separator = between(text, first_end, second_begin);
    return out;
}

/// "," and the blanks that would follow it, where there was but one thing.
std::string separator_or(const Spacing& spacing) {
    if (!spacing.separator.empty())
        return std::string(spacing.separator);
    if (spacing.before.find('\n') != std::string_view::npos)
        return fmt::format(",{}", spacing.before);
    return ", ";
}

}  // namespace

const ConfigValue* ConfigValue::find(std::string_view key) const {
    for (const Member& member : members)
        if (member.key == key)
            return &member.value;
    return nullptr;
}

ConfigText ConfigText::parse(std::string text, std::string name) {
    ConfigText out;
    out.text_ = std::move(text);
    out.name_ = std::move(name);
    out.root_ = parse_config(out.text_, out.name_);
    return out;
}

const ConfigValue* ConfigText::find(std::span<const std::string> path) const {
    const ConfigValue* at = &root_;
    for (const std::string& key : path)
        if (!(at = at->find(key)))
            return nullptr;
    return at;
}

Position ConfigText::position(const ConfigValue& value) const {
    return position_in(text_, value.begin, name_);
}

void ConfigText::set(std::span<const std::string> path, std::string_view json) {
    assert(!path.empty());
    if (const ConfigValue* old = find(path))
        return splice(old->begin, old->end, json);
    const ConfigValue* map = find(path.first(path.size() - 1));
    if (!map || !map->is_map())
        throw Error({.file = name_, .line = 0, .column = 0},
                    fmt::format("there is no map to put '{}' into", path.back()))
            .exit_code(kExitBadInput);
    add(*map, path.back(), json);
}

void ConfigText::add(const ConfigValue& map, const std::string& key, std::string_view json) {
    const std::vector<ConfigValue::Member>& members = map.members;
    if (members.empty())
        return splice(map.begin, map.end, fmt::format("{{{}: {}}}", json_quoted(key), json));
    Spacing spacing = spacing_of(text_,
                                 map,
                                 members[0].begin,
                                 members[0].value.end,
                                 members.size() > 1 ? members[1].begin : 0,
                                 members.back().value.end);
    std::string_view first = between(text_, members[0].begin, members[0].value.begin);
    std::string colon(first.substr(first.rfind(':')));
    std::string entry = fmt::format("{}{}{}", json_quoted(key), colon, json);
    auto by_key = [](const ConfigValue::Member& a, const ConfigValue::Member& b) {
        return a.key < b.key;
    };
    std::size_t at = members.size();
    if (std::is_sorted(members.begin(), members.end(), by_key)) {
        at = 0;
        while (at < members.size() && members[at].key < key)
            ++at;
    }
    std::string separator = separator_or(spacing);
    if (at == members.size()) {
        std::size_t end = members.back().value.end;
        splice(end, end, separator + entry);
    } else {
        splice(members[at].begin, members[at].begin, entry + separator);
    }
}

void ConfigText::remove(std::span<const std::string> path) {
    assert(!path.empty());
    const ConfigValue* map = find(path.first(path.size() - 1));
    if (!map)
        return;
    const std::vector<ConfigValue::Member>& members = map->members;
    for (std::size_t i = 0; i < members.size(); ++i) {
        if (members[i].key != path.back())
            continue;
        if (members.size() == 1)
            splice(map->begin, map->end, "{}");
        else if (i == 0)
            splice(members[0].begin, members[1].begin, "");
        else
            splice(members[i - 1].value.end, members[i].value.end, "");
        return;
    }
}

void ConfigText::splice(std::size_t begin, std::size_t end, std::string_view with) {
    std::string text = text_;
    text.replace(begin, end - begin, with);
    root_ = parse_config(text, name_);
    text_ = std::move(text);
}

std::string list_like(std::string_view text,
                      const ConfigValue& like,
                      std::span<const std::string> items) {
    if (items.empty())
        return "[]";
    Spacing spacing;
    if (const std::vector<ConfigValue>& old = like.items; !old.empty())
        spacing = spacing_of(text,
                             like,
                             old[0].begin,
                             old[0].end,
                             old.size() > 1 ? old[1].begin : 0,
                             old.back().end);
    return fmt::format(
        "[{}{}{}]", spacing.before, fmt::join(items, separator_or(spacing)), spacing.after);
}

std::string python_number(double value) {
    if (std::isnan(value))
        return "NaN";
    if (std::isinf(value))
        return value < 0 ? "-Infinity" : "Infinity";
    // The shortest digits that read back, with an exponent where Python has one.
    char digits[40];
    double size = std::abs(value);
    bool plain = size == 0 || (size >= 1e-4 && size < 1e16);
    auto [end, error] =
        std::to_chars(digits,
                      digits + sizeof digits,
                      value,
                      plain ? std::chars_format::fixed : std::chars_format::scientific);
    std::string out(digits, end);
    if (plain && out.find('.') == std::string::npos)
        out += ".0";
    return out;
}

}  // namespace stillroom::lm
