#include "engine/recipe/calc_value.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace stillroom {
namespace {

constexpr std::size_t kMostDigits = 40;

[[noreturn]] void fail(std::string message) {
    throw CalcFailure{std::move(message)};
}

CalcValue of_double(double value) {
    if (std::isnan(value))
        fail("the result is no real number");
    if (std::isinf(value))
        fail("the result is too large");
    std::array<char, 40> buffer{};
    auto [end, error] = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
    std::string_view text(buffer.data(), static_cast<std::size_t>(end - buffer.data()));
    return {false, Decimal::parse(text).value_or(Decimal())};
}

/// Keeps exact what has few digits, and rounds the rest.
CalcValue of_decimal(Decimal value) {
    double rounded = value.to_double();
    if (std::isinf(rounded))
        fail("the result is too large");
    if (value.text().size() > kMostDigits || (rounded == 0 && !value.is_zero()))
        return of_double(rounded);
    return {false, std::move(value)};
}

CalcValue of_integer(const Decimal& value, std::string_view what) {
    if (!value.to_int64())
        fail(fmt::format("{} leaves the integers of 64 bits", what));
    return {true, value};
}

/// The largest integer that is not above the value.
Decimal floor_of(const Decimal& value) {
    if (value.is_integer())
        return value;
    Decimal below(value.is_negative() ? -1 : 0);
    std::string text = value.text();
    if (std::size_t exponent = text.find('e'); exponent != std::string::npos)
        return text[exponent + 1] == '-' ? below : of_double(std::floor(value.to_double())).number;
    std::string whole = text.substr(0, text.find('.'));
    return Decimal::parse(whole).value_or(Decimal()) + below;
}

Decimal round_to_even(const Decimal& value) {
    Decimal below = floor_of(value);
    Decimal twice = (value - below) * Decimal(2);
    bool up = twice > Decimal(1) || (twice == Decimal(1) && !below.multiple_of(Decimal(2)));
    return up ? below + Decimal(1) : below;
}

std::int64_t integer(const CalcValue& value) {
    return value.number.to_int64().value_or(0);
}

/// Python's: towards minus infinity.
std::int64_t floor_divide(std::int64_t a, std::int64_t b) {
    std::int64_t quotient = a / b;
    return a % b != 0 && (a < 0) != (b < 0) ? quotient - 1 : quotient;
}

CalcValue floor_divide(const CalcValue& a, const CalcValue& b) {
    if (!a.integer || !b.integer)
        return of_decimal(floor_of(of_double(a.number.to_double() / b.number.to_double()).number));
    if (integer(b) == -1)
        return of_integer(-a.number, "the quotient");
    return {true, Decimal(floor_divide(integer(a), integer(b)))};
}

CalcValue modulo(const CalcValue& a, const CalcValue& b) {
    if (a.integer && b.integer) {
        if (integer(b) == -1)
            return {true, Decimal(0)};
        std::int64_t quotient = floor_divide(integer(a), integer(b));
        return {true, a.number - Decimal(quotient) * b.number};
    }
    double divisor = b.number.to_double();
    double rest = std::fmod(a.number.to_double(), divisor);
    return of_double(rest != 0 && (rest < 0) != (divisor < 0) ? rest + divisor : rest);
}

CalcValue power(const CalcValue& base, const CalcValue& exponent) {
    if (base.number.is_zero() && exponent.number.is_negative())
        fail("division by zero: 0 to a negative power");
    std::optional<std::int64_t> times = exponent.number.to_int64();
    if (base.integer && exponent.integer && *times >= 0) {
        Decimal result(1);
        if (base.number.is_zero() || base.number == Decimal(1))
            return {true, *times == 0 ? Decimal(1) : base.number};
        if (base.number == Decimal(-1))
            return {true, Decimal(*times % 2 == 0 ? 1 : -1)};
        for (std::int64_t i = 0; i < *times; ++i) {  // leaves 64 bits after 63 rounds
            result = result * base.number;
            of_integer(result, "the power");
        }
        return {true, result};
    }
    if (times && *times >= 0 && *times <= 64) {
        CalcValue result{false, Decimal(1)};
        for (std::int64_t i = 0; i < *times; ++i)
            result = of_decimal(result.number * base.number);
        return result;
    }
    return of_double(std::pow(base.number.to_double(), exponent.number.to_double()));
}

CalcValue exact(const CalcValue& a, const CalcValue& b, Decimal result, std::string_view what) {
    return a.integer && b.integer ? of_integer(result, what) : of_decimal(std::move(result));
}

}  // namespace

CalcValue calc_binary(std::string_view sign, const CalcValue& a, const CalcValue& b) {
    if (sign == "+")
        return exact(a, b, a.number + b.number, "the sum");
    if (sign == "-")
        return exact(a, b, a.number - b.number, "the difference");
    if (sign == "*")
        return exact(a, b, a.number * b.number, "the product");
    if (sign == "**")
        return power(a, b);
    if (b.number.is_zero())
        fail("division by zero");
    if (sign == "/")
        return of_double(a.number.to_double() / b.number.to_double());
    return sign == "//" ? floor_divide(a, b) : modulo(a, b);
}

CalcValue calc_negate(const CalcValue& a) {
    return a.integer ? of_integer(-a.number, "the negative") : CalcValue{false, -a.number};
}

CalcValue calc_function(std::string_view name, const std::vector<CalcValue>& arguments) {
    auto less = [](const CalcValue& a, const CalcValue& b) { return a.number < b.number; };
    if (name == "min")
        return *std::min_element(arguments.begin(), arguments.end(), less);
    if (name == "max")
        return *std::max_element(arguments.begin(), arguments.end(), less);
    const CalcValue& value = arguments.front();
    if (name == "abs")
        return value.number.is_negative() ? calc_negate(value) : value;
    if (name == "floor")
        return of_integer(floor_of(value.number), "the result");
    if (name == "ceil")
        return of_integer(-floor_of(-value.number), "the result");
    return of_integer(round_to_even(value.number), "the result");
}

}  // namespace stillroom
