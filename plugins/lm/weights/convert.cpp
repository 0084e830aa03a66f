#include "plugins/lm/weights/convert.h"

#include "engine/base/error.h"
#include "plugins/lm/weights/convert_kernels.h"
#include "plugins/lm/weights/small_floats.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

namespace stillroom::lm {
namespace {

constexpr std::size_t kBlock = 4096;  // elements: as F32 they stay in the cache

template <class Value>
constexpr std::array<float, 256> table_of(Value value) {
    std::array<float, 256> table{};
    for (unsigned code = 0; code < 256; ++code)
        table[code] = value(static_cast<std::uint8_t>(code));
    return table;
}
constexpr auto kFromE4M3 =
    table_of([](std::uint8_t code) { return small_float_value(kE4M3, code); });
constexpr auto kFromE5M2 =
    table_of([](std::uint8_t code) { return small_float_value(kE5M2, code); });
constexpr auto kFromE8M0 = table_of(e8m0_value);

std::size_t bytes_of(Dtype dtype, std::size_t elements) {
    return elements * static_cast<std::size_t>(bits_of(dtype)) / 8;
}

void decode_table(const std::array<float, 256>& table,
                  const std::byte* from,
                  float* to,
                  std::size_t count) {
    for (std::size_t i = 0; i < count; ++i)
        to[i] = table[std::to_integer<std::size_t>(from[i])];
}

/// Returns what was finite and is not any more: of F64 alone, everything else fits.
std::uint64_t decode(const ConvertKernels& kernels,
                     Dtype dtype,
                     const std::byte* from,
                     float* to,
                     std::size_t count) {
    std::uint64_t overflow = 0;
    switch (dtype) {
        case Dtype::f32:
            std::memcpy(to, from, 4 * count);
            break;
        case Dtype::bf16:
            kernels.from_bf16(from, to, count);
            break;
        case Dtype::f16:
            kernels.from_f16(from, to, count);
            break;
        case Dtype::f8_e4m3:
            decode_table(kFromE4M3, from, to, count);
            break;
        case Dtype::f8_e5m2:
            decode_table(kFromE5M2, from, to, count);
            break;
        case Dtype::f8_e8m0:
            decode_table(kFromE8M0, from, to, count);
            break;
        case Dtype::f4:
            for (std::size_t i = 0; i < count; ++i)
                to[i] = small_float_value(
                    kE2M1, std::to_integer<std::uint8_t>(from[i / 2] >> (i % 2 * 4)) & 15);
            break;
        default:
            for (std::size_t i = 0; i < count; ++i) {
                double value = 0;
                std::memcpy(&value, from + 8 * i, sizeof value);
                to[i] = static_cast<float>(value);
                overflow += std::isfinite(value) && std::isinf(to[i]);
            }
    }
    return overflow;
}

template <class Encode>
NumberCounts encode_small(
    const float* from, std::byte* to, std::size_t count, float largest, Encode encode) {
    NumberCounts counts;
    for (std::size_t i = 0; i < count; ++i) {
        to[i] = static_cast<std::byte>(encode(from[i]));
        float magnitude = std::abs(from[i]);
        counts.nan += std::isnan(from[i]);
        counts.infinite += std::isinf(magnitude);
        counts.overflow += magnitude > largest && !std::isinf(magnitude);
    }
    return counts;
}

NumberCounts encode(const ConvertKernels& kernels,
                    Dtype dtype,
                    const float* from,
                    std::byte* to,
                    std::size_t count) {
    auto small = [&](const SmallFloat& type) {
        return encode_small(from, to, count, type.largest, [&](float value) {
            return small_float_of(type, value);
        });
    };
    switch (dtype) {
        case Dtype::f32:
            std::memcpy(to, from, 4 * count);
            return kernels.count(from, count);
        case Dtype::bf16:
            return kernels.to_bf16(from, to, count);
        case Dtype::f16:
            return kernels.to_f16(from, to, count);
        case Dtype::f8_e4m3:
            return small(kE4M3);
        case Dtype::f8_e5m2:
            return small(kE5M2);
        case Dtype::f8_e8m0:
            return encode_small(from, to, count, 0x1p127f, e8m0_of);
        case Dtype::f4: {
            std::array<std::byte, kBlock> codes;
            NumberCounts counts =
                encode_small(from, codes.data(), count, kE2M1.largest, [](float value) {
                    return small_float_of(kE2M1, value);
                });
            for (std::size_t i = 0; i < count; i += 2)
                to[i / 2] = codes[i] | codes[i + 1] << 4;
            return counts;
        }
        default:
            for (std::size_t i = 0; i < count; ++i) {
                double value = from[i];
                std::memcpy(to + 8 * i, &value, sizeof value);
            }
            return kernels.count(from, count);
    }
}

NumberCounts convert_by(const ConvertKernels& kernels,
                        Dtype from_type,
                        std::span<const std::byte> from,
                        Dtype to_type,
                        std::span<std::byte> to) {
    for (Dtype each : {from_type, to_type})
        if (!is_convertible(each))
            throw Error({}, fmt::format("{} is no type that can be converted", name_of(each)))
                .exit_code(kExitBadInput);
    std::size_t left = from.size() * 8 / static_cast<std::size_t>(bits_of(from_type));
    if (from.size() != bytes_of(from_type, left) ||
        left * static_cast<std::size_t>(bits_of(to_type)) != to.size() * 8)
        throw Error({},
                    fmt::format("{} bytes of {} do not become {} bytes of {}",
                                from.size(),
                                name_of(from_type),
                                to.size(),
                                name_of(to_type)))
            .exit_code(kExitInternal);
    if (from_type == to_type) {
        std::copy(from.begin(), from.end(), to.begin());
        return count_numbers(from_type, from);
    }
    NumberCounts counts;
    std::array<float, kBlock> block;
    while (left > 0) {
        std::size_t count = std::min(left, kBlock);
        std::uint64_t overflow = decode(kernels, from_type, from.data(), block.data(), count);
        NumberCounts some = encode(kernels, to_type, block.data(), to.data(), count);
        some.infinite -= overflow;
        some.overflow += overflow;
        counts += some;
        from = from.subspan(bytes_of(from_type, count));
        to = to.subspan(bytes_of(to_type, count));
        left -= count;
    }
    return counts;
}

}  // namespace

bool is_convertible(Dtype dtype) {
    switch (dtype) {
        case Dtype::f64:
        case Dtype::f32:
        case Dtype::bf16:
        case Dtype::f16:
        case Dtype::f8_e4m3:
        case Dtype::f8_e5m2:
        case Dtype::f8_e8m0:
        case Dtype::f4:
            return true;
        default:
            return false;
    }
}

NumberCounts convert(Dtype from_type,
                     std::span<const std::byte> from,
                     Dtype to_type,
                     std::span<std::byte> to) {
    return convert_by(fast_kernels(), from_type, from, to_type, to);
}

NumberCounts convert_plain(Dtype from_type,
                           std::span<const std::byte> from,
                           Dtype to_type,
                           std::span<std::byte> to) {
    return convert_by(kPlainKernels, from_type, from, to_type, to);
}

NumberCounts count_numbers(Dtype dtype, std::span<const std::byte> bytes) {
    NumberCounts counts;
    if (!is_convertible(dtype))
        return counts;
    std::array<float, kBlock> block;
    std::size_t left = bytes.size() * 8 / static_cast<std::size_t>(bits_of(dtype));
    while (left > 0) {
        std::size_t count = std::min(left, kBlock);
        std::uint64_t overflow = decode(fast_kernels(), dtype, bytes.data(), block.data(), count);
        counts += fast_kernels().count(block.data(), count);
        counts.infinite -= overflow;
        bytes = bytes.subspan(bytes_of(dtype, count));
        left -= count;
    }
    return counts;
}

}  // namespace stillroom::lm
