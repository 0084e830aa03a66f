#include "engine/document/scalar.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <span>

namespace stillroom {
namespace {

bool is_digit(char c) {
    return c >= '0' && c <= '9';
}

template <std::size_t N>
bool is_one_of(std::string_view text, const std::array<std::string_view, N>& words) {
    return std::find(words.begin(), words.end(), text) != words.end();
}

std::string lower(std::string_view text) {
    std::string out(text);
    for (char& c : out)
        if (c >= 'A' && c <= 'Z')
            c = static_cast<char>(c - 'A' + 'a');
    return out;
}

std::string_view without_sign(std::string_view text) {
    if (!text.empty() && (text[0] == '+' || text[0] == '-'))
        text.remove_prefix(1);
    return text;
}

bool all_digits(std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), is_digit);
}

/// 0x.. or 0o..; the core rules allow no sign there.
bool is_based(std::string_view text) {
    if (text.size() < 3 || text[0] != '0')
        return false;
    auto is_hex = [](char c) {
        return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    };
    auto is_octal = [](char c) { return c >= '0' && c <= '7'; };
    if (text[1] == 'x')
        return std::all_of(text.begin() + 2, text.end(), is_hex);
    if (text[1] == 'o')
        return std::all_of(text.begin() + 2, text.end(), is_octal);
    return false;
}

std::optional<Decimal> based_value(std::string_view text) {
    if (!is_based(text) || text.size() > 66)
        return std::nullopt;
    Decimal base(text[1] == 'x' ? 16 : 8), value;
    for (char c : text.substr(2)) {
        int digit = is_digit(c) ? c - '0' : (c | 0x20) - 'a' + 10;
        value = value * base + Decimal(digit);
    }
    return value;
}

/// Without the `_` that stand between two digits; nothing if one stands elsewhere.
std::optional<std::string> without_separators(std::string_view text) {
    std::string out;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] != '_') {
            out.push_back(text[i]);
            continue;
        }
        bool between =
            i > 0 && i + 1 < text.size() && is_digit(text[i - 1]) && is_digit(text[i + 1]);
        if (!between)
            return std::nullopt;
    }
    return out;
}

std::optional<Decimal> spelled_number(std::string_view text) {
    std::optional<std::string> plain = without_separators(text);
    if (!plain)
        return std::nullopt;
    if (std::optional<Decimal> based = based_value(*plain))
        return based;
    return Decimal::parse(*plain);
}

struct Unit {
    std::string_view suffix;
    std::int64_t factor;
};

/// The number before the longest suffix that fits, times its factor.
std::optional<Decimal> with_unit(std::string_view text, std::span<const Unit> units) {
    for (const Unit& unit : units) {
        if (!text.ends_with(unit.suffix))
            continue;
        std::string_view number = text.substr(0, text.size() - unit.suffix.size());
        while (!number.empty() && number.back() == ' ')
            number.remove_suffix(1);
        if (number.empty() || !(is_digit(number.back()) || number.back() == '.'))
            continue;
        if (std::optional<Decimal> value = spelled_number(number))
            return *value * Decimal(unit.factor);
    }
    return spelled_number(text);
}

constexpr Unit kCounts[] = {{"K", 1'000},
                            {"M", 1'000'000},
                            {"B", 1'000'000'000},
                            {"G", 1'000'000'000},
                            {"T", 1'000'000'000'000}};

constexpr Unit kBytes[] = {{"KiB", 1LL << 10},
                           {"MiB", 1LL << 20},
                           {"GiB", 1LL << 30},
                           {"TiB", 1LL << 40},
                           {"kB", 1'000},
                           {"KB", 1'000},
                           {"MB", 1'000'000},
                           {"GB", 1'000'000'000},
                           {"TB", 1'000'000'000'000},
                           {"B", 1}};

constexpr Unit kSeconds[] = {{"s", 1}, {"m", 60}, {"h", 3'600}, {"d", 86'400}};

}  // namespace

Kind core_kind(std::string_view text) {
    constexpr std::array<std::string_view, 5> kNulls = {"", "~", "null", "Null", "NULL"};
    constexpr std::array<std::string_view, 6> kBooleans = {
        "true", "True", "TRUE", "false", "False", "FALSE"};
    constexpr std::array<std::string_view, 3> kInfinities = {".inf", ".Inf", ".INF"};
    constexpr std::array<std::string_view, 3> kNans = {".nan", ".NaN", ".NAN"};
    if (is_one_of(text, kNulls))
        return Kind::null;
    if (is_one_of(text, kBooleans))
        return Kind::boolean;
    if (is_based(text))
        return Kind::integer;
    std::string_view magnitude = without_sign(text);
    if (all_digits(magnitude))
        return Kind::integer;
    if (is_one_of(magnitude, kInfinities) || is_one_of(text, kNans))
        return Kind::number;
    // Decimal::parse takes just the core rules' numbers: digits, a point, an exponent.
    bool may_be_number = !magnitude.empty() && (is_digit(magnitude[0]) || magnitude[0] == '.');
    if (!may_be_number)
        return Kind::string;
    std::size_t i = 0;
    std::size_t digits = 0;
    while (i < magnitude.size() && is_digit(magnitude[i]))
        ++i, ++digits;
    if (i < magnitude.size() && magnitude[i] == '.') {
        ++i;
        while (i < magnitude.size() && is_digit(magnitude[i]))
            ++i, ++digits;
    }
    if (digits == 0)
        return Kind::string;
    if (i < magnitude.size() && (magnitude[i] == 'e' || magnitude[i] == 'E')) {
        std::string_view exponent = without_sign(magnitude.substr(i + 1));
        return all_digits(exponent) ? Kind::number : Kind::string;
    }
    return i == magnitude.size() ? Kind::number : Kind::string;
}

bool has_leading_zero(std::string_view text) {
    std::string_view magnitude = without_sign(text);
    return magnitude.size() > 1 && magnitude[0] == '0' && all_digits(magnitude);
}

std::optional<Decimal> decimal_value(const Node& node) {
    if (node.kind != Kind::integer && node.kind != Kind::number)
        return std::nullopt;
    return spelled_number(node.text);
}

double double_value(const Node& node) {
    if (std::optional<Decimal> value = decimal_value(node))
        return value->to_double();
    if (node.kind != Kind::number)
        return 0;
    std::string word = lower(without_sign(node.text));
    if (word.starts_with('.'))
        word.erase(0, 1);
    if (word == "nan")
        return std::numeric_limits<double>::quiet_NaN();
    if (word != "inf") {  // an exponent of millions
        bool tiny =
            node.text.find("e-") != std::string::npos || node.text.find("E-") != std::string::npos;
        if (tiny)
            return 0;
    }
    double infinity = std::numeric_limits<double>::infinity();
    return node.text.starts_with('-') ? -infinity : infinity;
}

bool boolean_value(const Node& node) {
    return node.kind == Kind::boolean && lower(node.text) == "true";
}

std::optional<Decimal> parse_count(std::string_view text) {
    return with_unit(text, kCounts);
}

std::optional<Decimal> parse_bytes(std::string_view text) {
    return with_unit(text, kBytes);
}

std::optional<Decimal> parse_duration(std::string_view text) {
    if (text.ends_with("ms")) {
        std::optional<Decimal> value = spelled_number(text.substr(0, text.size() - 2));
        return value ? std::optional(*value * *Decimal::parse("0.001")) : std::nullopt;
    }
    return with_unit(text, kSeconds);
}

}  // namespace stillroom
