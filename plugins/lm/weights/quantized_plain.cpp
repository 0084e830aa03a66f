#include "plugins/lm/weights/float_codes.h"
#include "plugins/lm/weights/quantized.h"
#include "plugins/lm/weights/quantized_parts.h"

#include <cstring>

namespace stillroom::lm {
namespace {

float half_at(const std::uint8_t* at) {
    std::uint16_t bits;
    std::memcpy(&bits, at, sizeof bits);
    return float_of_f16(bits);
}

int low(std::uint8_t byte) {
    return byte & 15;
}
int high(std::uint8_t byte) {
    return byte >> 4;
}

/// The value of index i of one block.
float value_at(std::uint32_t type, const std::uint8_t* block, std::uint32_t i) {
    auto nibble = [&](const std::uint8_t* codes) {
        return i < 16 ? low(codes[i]) : high(codes[i - 16]);
    };
    auto fifth_bit = [&](const std::uint8_t* bits) { return (bits[i / 8] >> i % 8 & 1) << 4; };
    switch (type) {
        case kGgufQ4_0:
            return half_at(block) * static_cast<float>(nibble(block + 2) - 8);
        case kGgufQ4_1:
            return half_at(block) * static_cast<float>(nibble(block + 4)) + half_at(block + 2);
        case kGgufQ5_0:
            return half_at(block) *
                   static_cast<float>((nibble(block + 6) | fifth_bit(block + 2)) - 16);
        case kGgufQ5_1:
            return half_at(block) * static_cast<float>(nibble(block + 8) | fifth_bit(block + 4)) +
                   half_at(block + 2);
        case kGgufQ8_0:
            return half_at(block) * static_cast<float>(static_cast<std::int8_t>(block[2 + i]));
        case kGgufQ4_K: {
            std::uint32_t group = i / 32;
            KScale scale = k_scale(block + 4, group);
            std::uint8_t byte = block[16 + group / 2 * 32 + i % 32];
            float code = static_cast<float>(group % 2 ? high(byte) : low(byte));
            return half_at(block) * static_cast<float>(scale.scale) * code -
                   half_at(block + 2) * static_cast<float>(scale.minimum);
        }
        case kGgufQ6_K: {
            std::uint32_t half = i / 128, group = i / 32 % 4, in_group = i % 32;
            std::uint8_t byte = block[half * 64 + group % 2 * 32 + in_group];
            int code = (group / 2 ? high(byte) : low(byte)) |
                       (block[128 + half * 32 + in_group] >> 2 * group & 3) << 4;
            auto scale = static_cast<std::int8_t>(block[192 + i / 16]);
            return half_at(block + 208) * static_cast<float>(scale) * static_cast<float>(code - 32);
        }
        default:
            return 0;  // not readable: callers ask first
    }
}

}  // namespace

NumberCounts dequantize_plain(const BlockType& type,
                              std::span<const std::byte> from,
                              Dtype dtype,
                              std::span<std::byte> to) {
    if (type.values == 1)
        return convert_plain(number_type(type), from, dtype, to);
    NumberCounts counts;
    std::byte* out = to.data();
    for (; from.size() >= type.bytes; from = from.subspan(type.bytes))
        for (std::uint32_t i = 0; i < type.values; ++i)
            out =
                put_value(value_at(type.id, reinterpret_cast<const std::uint8_t*>(from.data()), i),
                          dtype,
                          out,
                          counts);
    return counts;
}

}  // namespace stillroom::lm
