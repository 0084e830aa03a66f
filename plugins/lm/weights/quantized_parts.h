#pragma once

#include "plugins/lm/weights/float_codes.h"
#include "plugins/lm/weights/quantized.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace stillroom::lm {

// What the plain and the fast form of quantized.h share.

struct KScale {
    std::uint8_t scale, minimum;
};

/// The 6-bit scale and minimum of a group, 0 to 7, out of the 12 bytes that hold eight of each.
inline KScale k_scale(const std::uint8_t* packed, std::uint32_t group) {
    if (group < 4)
        return {static_cast<std::uint8_t>(packed[group] & 63),
                static_cast<std::uint8_t>(packed[group + 4] & 63)};
    return {static_cast<std::uint8_t>((packed[group + 4] & 15) | packed[group - 4] >> 6 << 4),
            static_cast<std::uint8_t>(packed[group + 4] >> 4 | packed[group] >> 6 << 4)};
}

/// Writes one number as `dtype`, counts what is wrong with it, and says where the next one goes.
inline std::byte* put_value(float value, Dtype dtype, std::byte* out, NumberCounts& counts) {
    counts.nan += std::isnan(value);
    counts.infinite += std::isinf(value);
    if (dtype == Dtype::f32) {
        auto bits = std::isnan(value) ? 0x7fc00000u : std::bit_cast<std::uint32_t>(value);
        std::memcpy(out, &bits, sizeof bits);
        return out + sizeof bits;
    }
    std::uint16_t bits = dtype == Dtype::bf16 ? bf16_of(value) : f16_of(value);
    std::uint16_t infinity = dtype == Dtype::bf16 ? 0x7f80 : 0x7c00;
    counts.overflow += (bits & 0x7fff) == infinity && !std::isinf(value);
    std::memcpy(out, &bits, sizeof bits);
    return out + sizeof bits;
}

#if defined(__x86_64__)
/// Eight values at a time, of blocks of 32 and 256. For a processor that has AVX2 and F16C: ask
/// has_avx2_and_f16c().
NumberCounts dequantize_avx2(const BlockType& type,
                             std::span<const std::byte> from,
                             Dtype dtype,
                             std::span<std::byte> to);
#endif

/// The type of numbers that are stored as such, one a block.
inline Dtype number_type(const BlockType& type) {
    return type.id == kGgufF32 ? Dtype::f32 : type.id == kGgufF16 ? Dtype::f16 : Dtype::bf16;
}

}  // namespace stillroom::lm
