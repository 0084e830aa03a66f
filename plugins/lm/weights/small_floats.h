#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

namespace stillroom::lm {

// Numbers of eight and four bits, one at a time.

/// A sign, an exponent, digits; `largest` is the greatest finite value. What lies above is clamped
/// to it: a cast that made a NaN or an infinity of a weight would spoil a model, so that is
/// counted.
struct SmallFloat {
    int bits;
    int digits;
    int bias;
    float largest;
    std::uint8_t nan;     ///< without sign; the greatest code where there is none
    bool has_infinity;    ///< IEEE's way: the highest exponent is kept for infinity and NaN
    bool highest_is_nan;  ///< only the code with all bits set is NaN
};

inline constexpr SmallFloat kE4M3 = {8, 3, 7, 448, 0x7f, false, true};
inline constexpr SmallFloat kE5M2 = {8, 2, 15, 57344, 0x7f, true, false};
inline constexpr SmallFloat kE2M1 = {4, 1, 1, 6, 0x7, false, false};

constexpr float power_of_two(int exponent) {
    if (exponent < -126)
        return std::bit_cast<float>(1u << (exponent + 149));
    return std::bit_cast<float>(static_cast<std::uint32_t>(exponent + 127) << 23);
}

constexpr float small_float_value(const SmallFloat& type, std::uint8_t code) {
    unsigned magnitude = code & ((1u << (type.bits - 1)) - 1);
    unsigned digits = magnitude & ((1u << type.digits) - 1);
    int exponent = static_cast<int>(magnitude >> type.digits);
    int highest = (1 << (type.bits - 1 - type.digits)) - 1;
    float value = 0;
    if (type.highest_is_nan ? magnitude == type.nan : type.has_infinity && exponent == highest)
        value = digits ? std::numeric_limits<float>::quiet_NaN()
                       : std::numeric_limits<float>::infinity();
    else if (exponent == 0)
        value = static_cast<float>(digits) * power_of_two(1 - type.bias - type.digits);
    else
        value = static_cast<float>(digits + (1u << type.digits)) *
                power_of_two(exponent - type.bias - type.digits);
    return code >> (type.bits - 1) & 1 ? -value : value;
}

/// To nearest, ties to the even code; beyond `largest` that.
inline std::uint8_t small_float_of(const SmallFloat& type, float value) {
    auto bits = std::bit_cast<std::uint32_t>(value);
    auto sign = static_cast<std::uint8_t>(bits >> 31 << (type.bits - 1));
    std::uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u)
        return sign | type.nan;
    std::uint32_t largest = std::bit_cast<std::uint32_t>(type.largest);
    magnitude = magnitude < largest ? magnitude : largest;
    std::uint32_t least_normal = static_cast<std::uint32_t>(128 - type.bias) << 23;
    std::uint32_t code = 0;
    if (magnitude < least_normal) {  // a multiple of the least value; the sum rounds it
        float scaled = std::bit_cast<float>(magnitude) * power_of_two(type.bias + type.digits - 1);
        code = std::bit_cast<std::uint32_t>(scaled + 0x1p23f) & 0x7fffffu;
    } else {
        int dropped = 23 - type.digits;
        std::uint32_t half = (1u << (dropped - 1)) - 1 + (magnitude >> dropped & 1u);
        code = ((magnitude + half) >> dropped) -
               (static_cast<std::uint32_t>(127 - type.bias) << type.digits);
    }
    return static_cast<std::uint8_t>(sign | code);
}

/// E8M0, the scale of a block: a power of two, 2^(code - 127), or NaN.
constexpr float e8m0_value(std::uint8_t code) {
    return code == 0xff ? std::numeric_limits<float>::quiet_NaN() : power_of_two(code - 127);
}

/// The exponent of the magnitude, rounded: from 1.5 on to the next power. At most 2^127.
inline std::uint8_t e8m0_of(float value) {
    std::uint32_t magnitude = std::bit_cast<std::uint32_t>(value) & 0x7fffffffu;
    if (magnitude >= 0x7f800000u)
        return magnitude > 0x7f800000u ? 0xff : 0xfe;
    std::uint32_t exponent = magnitude >> 23, digits = magnitude & 0x7fffffu;
    // Below 2^-126 there is no leading one: 2^-127 itself has the code 0.
    bool up = exponent > 0 ? digits >= 0x400000u : digits > 0x400000u;
    exponent += up;
    return static_cast<std::uint8_t>(exponent < 0xfe ? exponent : 0xfe);
}

}  // namespace stillroom::lm
