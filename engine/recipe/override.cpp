#include "engine/recipe/override.h"

#include "engine/base/codes.h"
#include "engine/base/text.h"
#include "engine/recipe/override_key.h"
#include "engine/recipe/override_value.h"

#include <fmt/format.h>

namespace stillroom {
namespace {

[[noreturn]] void fail(int code, Span where, std::string message, std::string hint = {}) {
    throw OverrideMistake{code, where, std::move(message), std::move(hint)};
}

bool takes_list(OverrideKind kind) {
    return kind == OverrideKind::append || kind == OverrideKind::prepend ||
           kind == OverrideKind::subtract;
}

/// `key+=` and its kin take lists, `key:=` a map; of a sweep every value.
void check_operand(const Override& override, const Element& element, std::string_view sign) {
    bool list = takes_list(override.kind);
    if (!list && override.kind != OverrideKind::replace)
        return;
    auto check = [&](const Node& node) {
        if (list ? node.is_list() : node.is_map())
            return;
        fail(code::kOverrideValue,
             node.where,
             fmt::format("'{}' takes {}, not {}",
                         sign,
                         list ? "a list" : "a map",
                         node.is_scalar() && node.text.empty() ? "nothing" : describe_value(node)),
             list ? fmt::format("write {}{}[..]", override.key, sign)
                  : fmt::format(
                        "write {}:={{..}}, or {}=VALUE to change it", override.key, override.key));
    };
    if (element.value)
        check(*element.value);
    if (element.sweep) {
        if (element.sweep->values.empty())
            fail(code::kOverrideValue,
                 element.where,
                 fmt::format("'{}' takes {}", sign, list ? "a list" : "a map"));
        for (const NodePtr& value : element.sweep->values)
            check(*value);
    }
}

void check_characters(const Source& source) {
    const std::string& text = source.text();
    if (auto bad = find_invalid_utf8(text))
        fail(code::kOverrideForm,
             source.span(*bad, *bad + 1),
             fmt::format("byte {} of this argument is not UTF-8", *bad + 1));
    if (auto nul = text.find('\0'); nul != std::string::npos)
        fail(code::kOverrideForm, source.span(nul, nul + 1), "an argument holds no NUL");
}

void read_zip(const Source& source, ValueReader& reader, Override& out) {
    if (out.kind != OverrideKind::change && out.kind != OverrideKind::add &&
        out.kind != OverrideKind::force_add)
        fail(code::kFunctionArguments, out.value_where, "a zip changes or adds values");
    std::vector<ValueReader::Column> columns = reader.read_zip();
    std::size_t rows = columns.front().values.value->items.size();
    for (const ValueReader::Column& column : columns) {
        std::size_t length = column.values.value->items.size();
        if (length != rows)
            fail(code::kZipRows,
                 column.values.where,
                 fmt::format("the lists of a zip have equal lengths: '{}' has {}, '{}' has {}",
                             columns.front().key,
                             plural(rows, "value"),
                             column.key,
                             plural(length, "value")));
        if (length == 0)
            fail(code::kZipRows, column.values.where, "a zip needs at least one value a key");
    }
    out.rows.resize(rows);
    for (const ValueReader::Column& column : columns) {
        OverrideKey key = read_override_key(source, column.key_offset);
        if (key.end != column.key_offset + column.key.size())
            fail(code::kOverrideKey, key.where, fmt::format("'{}' is no key", column.key));
        for (std::size_t i = 0; i < rows; ++i) {
            Override cell;
            cell.kind = out.kind;
            cell.is_group = key.is_group;
            cell.key = key.key;
            cell.path = key.path;
            cell.package = key.package;
            cell.value = column.values.value->items[i];
            cell.where = out.where;
            cell.key_where = key.where;
            cell.value_where = cell.value->where;
            cell.text = spell_key(cell) + spell_value(*cell.value);
            out.rows[i].push_back(std::move(cell));
        }
    }
}

Override read_override(const Source& source) {
    check_characters(source);
    std::string_view text = source.text();
    Override out;
    out.text = source.text();
    out.where = source.span(0, text.size());
    std::size_t begin = 0;
    if (text.starts_with("++")) {
        out.kind = OverrideKind::force_add;
        begin = 2;
    } else if (text.starts_with("+")) {
        out.kind = OverrideKind::add;
        begin = 1;
    } else if (text.starts_with("~")) {
        out.kind = OverrideKind::remove;
        begin = 1;
    } else if (text.starts_with("-")) {
        fail(code::kOverrideForm,
             source.span(0, 1),
             "an override does not begin with '-'",
             "to remove a key write ~KEY; a flag is not known here");
    }
    OverrideKey key = read_override_key(source, begin);
    out.is_group = key.is_group;
    out.key = key.key;
    out.path = key.path;
    out.package = key.package;
    out.key_where = key.where;

    std::string_view rest = text.substr(key.end);
    out.value_where = source.span(text.size(), text.size());
    if (rest.empty()) {
        if (out.kind == OverrideKind::remove)
            return out;
        fail(code::kOverrideForm,
             out.value_where,
             fmt::format("'=' and a value must follow '{}'", shorten(text, 40)),
             out.kind == OverrideKind::change
                 ? fmt::format("write {}=VALUE, or ~{} to remove it", out.key, out.key)
                 : fmt::format("write {}=VALUE", shorten(text, 40)));
    }
    std::size_t sign_length = rest[0] == '=' ? 1 : 2;
    std::string_view sign = rest.substr(0, sign_length);
    if (sign != "=") {
        OverrideKind kind = sign == "+="   ? OverrideKind::append
                            : sign == "^=" ? OverrideKind::prepend
                            : sign == "-=" ? OverrideKind::subtract
                                           : OverrideKind::replace;
        bool known = kind != OverrideKind::replace || sign == ":=";
        if (!known)
            fail(code::kOverrideForm,
                 source.span(key.end, key.end + 1),
                 fmt::format("'{}' cannot stand in a key", rest[0]),
                 "the operators are = += ^= -= and :=");
        if (out.kind != OverrideKind::change)
            fail(code::kOverrideForm,
                 source.span(0, begin),
                 fmt::format("'{}' and '{}' exclude each other", text.substr(0, begin), sign),
                 fmt::format("write {}{}..", out.key, sign));
        out.kind = kind;
    }
    std::size_t value_begin = key.end + sign_length;
    if (out.kind != OverrideKind::remove && out.kind != OverrideKind::change &&
        takes_list(out.kind) && out.is_group)
        fail(code::kOverrideForm,
             source.span(key.end, value_begin),
             fmt::format("'{}' changes a list, and '{}' names a group", sign, out.key));

    ValueReader reader(source, value_begin);
    out.value_where = source.span(value_begin, text.size());
    if (reader.at_zip()) {
        read_zip(source, reader, out);
        return out;
    }
    Element element = reader.read();
    check_operand(out, element, sign);
    if (element.extends) {
        if (out.kind != OverrideKind::change)
            fail(code::kFunctionArguments,
                 element.where,
                 "extend_list appends to a list that is there, so it goes with a plain '='",
                 fmt::format("write {}+=[..]", out.key));
        out.kind = OverrideKind::append;
    }
    out.value_where = element.where;
    out.value = element.value;
    out.sweep = std::move(element.sweep);
    return out;
}

/// How many arguments, from `first` on, are one override with blanks around its '=': "a = 1".
std::size_t words_of_one(const std::vector<Argument>& arguments, std::size_t first) {
    auto at = [&](std::size_t i) {
        bool next = i < arguments.size() &&
                    arguments[i].index == arguments[first].index + static_cast<int>(i - first);
        return next ? std::string_view(arguments[i].text) : std::string_view();
    };
    auto assigns = [](std::string_view word) { return word.find('=') != std::string_view::npos; };
    std::string_view key = at(first), sign = at(first + 1), value = at(first + 2);
    if (key.starts_with('~'))
        return 1;
    if (key.size() > 1 && key.ends_with('='))
        return !sign.empty() && !assigns(sign) && !sign.starts_with('~') ? 2 : 1;
    if (assigns(key) || !sign.starts_with('='))
        return 1;
    return sign.size() > 1 || value.empty() ? 2 : 3;
}

}  // namespace

std::optional<Override> parse_override(const Source& source, Diagnostics& diagnostics) {
    try {
        return read_override(source);
    } catch (OverrideMistake& mistake) {
        diagnostics.error(mistake.code, mistake.where, std::move(mistake.message))
            .with_hint(std::move(mistake.hint));
        return std::nullopt;
    }
}

std::vector<Override> parse_overrides(Sources& sources,
                                      const std::vector<Argument>& arguments,
                                      Diagnostics& diagnostics) {
    std::vector<Override> out;
    for (std::size_t i = 0; i < arguments.size(); ++i) {
        const Source& source = sources.add_argument(arguments[i].index, arguments[i].text);
        if (std::size_t words = words_of_one(arguments, i); words > 1) {
            std::string whole;
            for (std::size_t word = i; word < i + words; ++word)
                whole += arguments[word].text;
            diagnostics
                .error(code::kOverrideForm,
                       source.span(0, source.text().size()),
                       "no blank stands around the '=' of an override")
                .with_hint(fmt::format("write {}", shorten(whole, 80)));
            i += words - 1;
            continue;
        }
        if (auto override = parse_override(source, diagnostics))
            out.push_back(std::move(*override));
    }
    return out;
}

NodePtr parse_override_value(std::string_view text, Span where, std::string& mistake) {
    try {
        Element element = ValueReader(text, where).read();
        if (!element.value || element.extends) {
            mistake = "a sweep is no value";
            return nullptr;
        }
        return element.value;
    } catch (OverrideMistake& found) {
        mistake = std::move(found.message);
        return nullptr;
    }
}

}  // namespace stillroom
