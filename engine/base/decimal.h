#pragma once

#include "engine/base/api.h"

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace stillroom {

/// A decimal number without rounding: digits times a power of ten. Bounds, counts and ranges are
/// worked out in it, so that 0.1 steps are exact and 9007199254740993 is not its neighbour.
class STILLROOM_API Decimal {
public:
    Decimal() = default;  ///< zero
    Decimal(std::int64_t value);

    /// [+-] digits [. digits] [e [+-] digits]; nothing else, no underscore. Nothing where it is not
    /// that, or where the exponent passes a million.
    static std::optional<Decimal> parse(std::string_view text);

    bool is_zero() const { return digits_.empty(); }
    bool is_negative() const { return negative_; }
    bool is_integer() const { return exponent_ >= 0; }

    std::optional<std::int64_t> to_int64()
        const;                 ///< nothing if it is not integral or does not fit
    double to_double() const;  ///< correctly rounded; may be infinite

    /// Plain digits where that is short, as RFC 8785 would spell them, else with an exponent.
    /// Exact.
    std::string text() const;

    /// All digits of an integer, however many.
    std::string integer_text() const;

    /// True if this is an integral multiple of `step`, exactly.
    bool multiple_of(const Decimal& step) const;

    friend Decimal operator+(const Decimal& a, const Decimal& b);
    friend Decimal operator-(const Decimal& a, const Decimal& b);
    friend Decimal operator*(const Decimal& a, const Decimal& b);
    Decimal operator-() const;
    friend std::strong_ordering operator<=>(const Decimal& a, const Decimal& b);
    friend bool operator==(const Decimal& a, const Decimal& b) { return (a <=> b) == 0; }

private:
    void normalize();

    bool negative_ = false;
    std::string digits_;  // no leading and no trailing zero; empty is zero
    std::int64_t exponent_ = 0;
};

}  // namespace stillroom
