#pragma once

#include <bit>
#include <cmath>
#include <cstdint>

namespace stillroom::lm {

// One number between its types, by its bits.

inline float float_of_f16(std::uint16_t half) {
    std::uint32_t sign = std::uint32_t{half & 0x8000u} << 16;
    std::uint32_t exponent = half >> 10 & 31u, digits = half & 1023u;
    if (exponent == 31)  // a NaN stays one, and quiet
        return std::bit_cast<float>(sign | 0x7f800000u | digits << 13 | (digits ? 1u << 22 : 0u));
    if (exponent == 0) {
        float value = static_cast<float>(digits) * 0x1p-24f;
        return sign ? -value : value;
    }
    return std::bit_cast<float>(sign | (exponent + 112) << 23 | digits << 13);
}

inline float float_of_bf16(std::uint16_t bits) {
    return std::bit_cast<float>(std::uint32_t{bits} << 16);
}

inline std::uint16_t bf16_of(float value) {
    auto bits = std::bit_cast<std::uint32_t>(value);
    if ((bits & 0x7fffffffu) > 0x7f800000u)
        return 0x7fc0;
    return static_cast<std::uint16_t>((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

inline std::uint16_t f16_of(float value) {
    auto bits = std::bit_cast<std::uint32_t>(value);
    std::uint32_t sign = bits >> 16 & 0x8000u;
    std::uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > 0x7f800000u)
        return 0x7e00;
    if (magnitude >= 0x477ff000u)  // 65520 and above round to infinity
        return static_cast<std::uint16_t>(sign | 0x7c00u);
    if (magnitude < 0x38800000u) {  // below 2^-14: a multiple of 2^-24, to nearest even
        float scaled = std::nearbyint(std::bit_cast<float>(magnitude) * 0x1p24f);
        return static_cast<std::uint16_t>(sign | static_cast<std::uint32_t>(scaled));
    }
    std::uint32_t rounded = magnitude + 0xfffu + (magnitude >> 13 & 1u);
    return static_cast<std::uint16_t>(sign | (rounded - (112u << 23)) >> 13);
}

}  // namespace stillroom::lm
