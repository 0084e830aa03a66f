#include "engine/recipe/override_casts.h"

#include "engine/base/codes.h"
#include "engine/base/text.h"
#include "engine/document/scalar.h"
#include "engine/recipe/override_functions.h"
#include "engine/recipe/primitive.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>

namespace stillroom {
namespace {

constexpr std::string_view kNames[] = {"int", "float", "bool", "str"};

std::string_view name_of(Cast cast) {
    return kNames[static_cast<std::size_t>(cast)];
}

[[noreturn]] void refuse(const Node& value, Cast cast, Span where, std::string_view why) {
    throw OverrideMistake{
        code::kFunctionArguments,
        where,
        fmt::format("{}(..) cannot take {}: {}", name_of(cast), describe_value(value), why),
        {}};
}

std::shared_ptr<Node> scalar(Kind kind, std::string text, Span where) {
    auto node = std::make_shared<Node>();
    node->kind = kind;
    node->style = kind == Kind::string ? Style::double_quoted : Style::plain;
    node->origin = Origin::argument;
    node->text = std::move(text);
    node->where = where;
    return node;
}

bool is_number(const Node& node) {
    return node.kind == Kind::integer || node.kind == Kind::number;
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z')
            c = static_cast<char>(c - 'A' + 'a');
    return out;
}

/// The number that a text spells for int(..) and float(..): blanks around it and leading zeros are
/// no matter.
std::optional<Decimal> number_of(std::string_view text) {
    text = trim(text);
    std::string digits;
    for (std::size_t i = 0; i < text.size(); ++i) {
        auto is_digit = [&](std::size_t k) {
            return k < text.size() && text[k] >= '0' && text[k] <= '9';
        };
        if (text[i] == '_' && i > 0 && is_digit(i - 1) && is_digit(i + 1))
            continue;
        digits.push_back(text[i]);
    }
    return Decimal::parse(digits);
}

/// Towards zero; nothing if that leaves 64 bits.
std::optional<std::int64_t> truncate(const Decimal& value) {
    if (value.is_integer())
        return value.to_int64();
    std::string text = value.text();
    if (text.find('e') != std::string::npos) {
        if (std::abs(value.to_double()) < 1)
            return 0;
        return std::nullopt;
    }
    std::optional<Decimal> whole = Decimal::parse(text.substr(0, text.find('.')));
    return whole ? whole->to_int64() : std::nullopt;
}

NodePtr to_int(const Node& value, Span where) {
    if (value.kind == Kind::boolean)
        return make_integer(boolean_value(value) ? 1 : 0, where);
    std::optional<Decimal> number;
    if (is_number(value)) {
        number = decimal_value(value);
        if (!number)
            refuse(value, Cast::to_int, where, "it is not finite");
    } else {
        bool whole = value.text.find_first_of(".eE") == std::string::npos;
        number = whole ? number_of(value.text) : std::nullopt;
        if (!number)
            refuse(value, Cast::to_int, where, "it is no integer");
    }
    std::optional<std::int64_t> integer = truncate(*number);
    if (!integer)
        refuse(value, Cast::to_int, where, "it does not fit in 64 bits");
    return make_integer(*integer, where);
}

NodePtr to_float(const Node& value, Span where) {
    if (value.kind == Kind::boolean)
        return make_number(Decimal(boolean_value(value) ? 1 : 0), where);
    if (is_number(value)) {
        std::optional<Decimal> number = decimal_value(value);
        return number ? make_number(*number, where) : scalar(Kind::number, value.text, where);
    }
    if (std::optional<Decimal> number = number_of(value.text))
        return make_number(*number, where);
    std::string word = lower(trim(value.text));
    std::string unsigned_word = word.substr(word.starts_with('+') || word.starts_with('-') ? 1 : 0);
    if (unsigned_word == "inf" || unsigned_word == "infinity" || unsigned_word == "nan")
        return scalar(
            Kind::number, (word.starts_with('-') ? "-" : "") + unsigned_word.substr(0, 3), where);
    refuse(value, Cast::to_float, where, "it is no number");
}

NodePtr to_bool(const Node& value, Span where) {
    bool result = false;  // of null too
    if (value.kind == Kind::boolean) {
        result = boolean_value(value);
    } else if (is_number(value)) {
        result = double_value(value) != 0;
    } else if (!value.is_null()) {
        std::string word = lower(value.text);
        if (word != "true" && word != "false")
            refuse(value, Cast::to_bool, where, "only true, false and numbers are taken");
        result = word == "true";
    }
    return scalar(Kind::boolean, result ? "true" : "false", where);
}

NodePtr to_str(const Node& value, Span where) {
    switch (value.kind) {
        case Kind::boolean:
            return scalar(Kind::string, boolean_value(value) ? "true" : "false", where);
        case Kind::integer: {
            std::string text;
            for (char c : value.text)
                if (c != '_' && c != '+')
                    text.push_back(c);
            return scalar(Kind::string, text == "-0" ? "0" : text, where);
        }
        case Kind::number:
            return scalar(Kind::string, float_text(double_value(value)), where);
        default:
            return scalar(Kind::string, value.text, where);
    }
}

NodePtr cast_value(const Node& value, Cast cast, Span where) {
    if (value.is_list() || value.is_map()) {
        auto out = copy(value);
        for (NodePtr& item : out->items)
            item = cast_value(*item, cast, item->where);
        for (Entry& entry : out->entries)
            entry.value = cast_value(*entry.value, cast, entry.value->where);
        return out;
    }
    if (value.is_null() && cast != Cast::to_bool)
        refuse(value, cast, where, "it has no value");
    switch (cast) {
        case Cast::to_int:
            return to_int(value, where);
        case Cast::to_float:
            return to_float(value, where);
        case Cast::to_bool:
            return to_bool(value, where);
        case Cast::to_str:
            break;
    }
    return to_str(value, where);
}

Element cast_range(const Sweep& range, Cast cast, Span where) {
    if (cast != Cast::to_int && cast != Cast::to_float)
        throw OverrideMistake{code::kFunctionArguments,
                              where,
                              fmt::format("a range cannot be cast by {}(..)", name_of(cast)),
                              "int(..) and float(..) take ranges"};
    Element out;
    out.where = where;
    if (!range.step) {  // reordered: what is left are its values
        out.sweep = range;
        out.sweep->tags.clear();
        for (NodePtr& value : out.sweep->values)
            value = cast_value(*value, cast, value->where);
        return out;
    }
    Call call;
    call.name = "range";
    call.where = call.name_where = where;
    for (const NodePtr& bound : {range.start, range.end, range.step}) {
        Element argument;
        argument.where = where;
        argument.value = cast_value(*bound, cast, where);
        call.positional.push_back(std::move(argument));
    }
    return call_function(call);
}

}  // namespace

std::string float_text(double value) {
    if (std::isnan(value))
        return "nan";
    if (std::isinf(value))
        return value < 0 ? "-inf" : "inf";
    std::array<char, 32> buffer{};
    auto [end, error] = std::to_chars(
        buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::scientific);
    std::string text(buffer.data(), end);  // -d.ddde+XX, the shortest that reads back
    std::size_t e = text.find('e');
    int exponent = std::atoi(text.c_str() + e + 1);
    if (exponent < -4 || exponent >= 16)
        return text;
    auto plain = std::to_chars(
        buffer.data(), buffer.data() + buffer.size(), value, std::chars_format::fixed);
    std::string out(buffer.data(), plain.ptr);
    return out.find('.') == std::string::npos ? out + ".0" : out;
}

NodePtr make_number(const Decimal& value, Span where) {
    std::string text = value.text();
    if (text.find_first_of(".e") == std::string::npos)
        text += ".0";
    return scalar(Kind::number, std::move(text), where);
}

NodePtr make_integer(std::int64_t value, Span where) {
    return scalar(Kind::integer, std::to_string(value), where);
}

Element cast_element(const Element& element, Cast cast, Span where) {
    Element out;
    out.where = where;
    if (!element.sweep) {
        out.value = cast_value(*element.value, cast, where);
        return out;
    }
    const Sweep& sweep = *element.sweep;
    if (sweep.form == Sweep::Form::range)
        return cast_range(sweep, cast, where);
    if (sweep.form == Sweep::Form::glob)
        throw OverrideMistake{code::kFunctionArguments,
                              where,
                              fmt::format("{}(..) cannot take a glob", name_of(cast)),
                              {}};
    out.sweep = sweep;
    out.loose = element.loose;
    out.sweep->tags.clear();
    if (sweep.form == Sweep::Form::interval) {
        if (cast != Cast::to_int && cast != Cast::to_float)
            throw OverrideMistake{
                code::kFunctionArguments,
                where,
                fmt::format("an interval cannot be cast by {}(..)", name_of(cast)),
                "int(..) and float(..) take intervals"};
        out.sweep->start = cast_value(*sweep.start, cast, where);
        out.sweep->end = cast_value(*sweep.end, cast, where);
    }
    for (NodePtr& value : out.sweep->values)
        value = cast_value(*value, cast, value->where);
    return out;
}

}  // namespace stillroom
