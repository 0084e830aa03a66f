#include "engine/recipe/primitive.h"

#include <algorithm>

namespace stillroom {
namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

bool is_letter(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

bool equals_word(std::string_view text, std::string_view lower_case_word) {
    auto same = [](char a, char b) {
        return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == b;
    };
    return text.size() == lower_case_word.size() &&
           std::equal(text.begin(), text.end(), lower_case_word.begin(), same);
}

/// Digits with single '_' between; 0 if there is none.
std::size_t digits_length(std::string_view text) {
    std::size_t i = 0;
    while (i < text.size() && is_digit(text[i])) {
        ++i;
        if (i + 1 < text.size() && text[i] == '_' && is_digit(text[i + 1]))
            ++i;
    }
    return i;
}

Kind number_kind(std::string_view text) {
    if (!text.empty() && (text[0] == '+' || text[0] == '-'))
        text.remove_prefix(1);
    if (equals_word(text, "inf") || equals_word(text, "nan"))
        return Kind::number;
    std::size_t i = unsigned_length(text);
    bool has_digits = i > 0;
    if (has_digits && i == text.size())
        return Kind::integer;
    if (i < text.size() && text[i] == '.') {
        ++i;
        std::size_t fraction = digits_length(text.substr(i));
        has_digits = has_digits || fraction > 0;
        i += fraction;
    }
    if (!has_digits)
        return Kind::string;
    if (i < text.size() && (text[i] == 'e' || text[i] == 'E')) {
        ++i;
        if (i < text.size() && (text[i] == '+' || text[i] == '-'))
            ++i;
        std::size_t exponent = digits_length(text.substr(i));
        if (exponent == 0)
            return Kind::string;
        i += exponent;
    }
    return i == text.size() ? Kind::number : Kind::string;
}

}  // namespace

Kind primitive_kind(std::string_view text) {
    if (equals_word(text, "null"))
        return Kind::null;
    if (equals_word(text, "true") || equals_word(text, "false"))
        return Kind::boolean;
    return number_kind(text);
}

std::size_t identifier_length(std::string_view text) {
    if (text.empty() || !is_letter(text[0]))
        return 0;
    auto inside = [](char c) { return is_letter(c) || is_digit(c) || c == '-'; };
    return static_cast<std::size_t>(std::find_if_not(text.begin(), text.end(), inside) -
                                    text.begin());
}

std::size_t unsigned_length(std::string_view text) {
    if (text.empty() || !is_digit(text[0]))
        return 0;
    return text[0] == '0' ? 1 : digits_length(text);
}

std::size_t interpolation_length(std::string_view text) {
    if (!text.starts_with("${") || text.starts_with("${}"))
        return 0;
    // Quotes count only right of a ':', where arguments stand; a brace right of one is the
    // arguments' too.
    std::string in_call;  // a mark for each open brace
    for (std::size_t i = 1; i < text.size(); ++i) {
        char c = text[i];
        if (c == '{') {
            bool nested = text[i - 1] == '$';
            in_call.push_back(nested || in_call.empty() ? 0 : in_call.back());
        } else if (c == '}') {
            in_call.pop_back();
            if (in_call.empty())
                return i + 1;
        } else if (c == ':') {
            in_call.back() = 1;
        } else if (c == '\\' && in_call.back()) {
            ++i;
        } else if ((c == '\'' || c == '"') && in_call.back()) {
            std::size_t close = i + 1;
            while (close < text.size() && text[close] != c)
                close += text[close] == '\\' ? 2 : 1;
            if (close < text.size())
                i = close;
        }
    }
    return 0;
}

}  // namespace stillroom
