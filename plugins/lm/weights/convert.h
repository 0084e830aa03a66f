#pragma once

#include "engine/base/api.h"
#include "plugins/lm/weights/dtype.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace stillroom::lm {

/// Numbers that no weight should be, and those that a type could not hold.
struct NumberCounts {
    std::uint64_t nan = 0;
    std::uint64_t infinite = 0;  ///< in the source
    std::uint64_t overflow = 0;  ///< finite in the source, beyond the largest of the target

    NumberCounts& operator+=(const NumberCounts& other) {
        nan += other.nan;
        infinite += other.infinite;
        overflow += other.overflow;
        return *this;
    }
    bool operator==(const NumberCounts&) const = default;
    bool any() const { return nan || infinite || overflow; }
};

/// F64 F32 BF16 F16, F8_E4M3 F8_E5M2 F8_E8M0, and F4: E2M1, two a byte, the first one low.
STILLROOM_API bool is_convertible(Dtype dtype);

/// Every element of `from`, rounded to nearest, ties to even. Beyond the largest value F32, BF16
/// and F16 become infinite; the smaller types are clamped, infinities too. A NaN stays one; F4,
/// which has none, takes its largest value. F64 goes by way of F32, as in torch. What is the same
/// type is copied bit for bit. No alignment is asked of either side; they do not overlap, and hold
/// equally many elements. Callers may split a tensor over threads.
STILLROOM_API NumberCounts convert(Dtype from_type,
                                   std::span<const std::byte> from,
                                   Dtype to_type,
                                   std::span<std::byte> to);

/// The plain twin of convert(), for tests: the same bytes and counts, without vectors.
STILLROOM_API NumberCounts convert_plain(Dtype from_type,
                                         std::span<const std::byte> from,
                                         Dtype to_type,
                                         std::span<std::byte> to);

/// NaN and infinities among elements that stay as they are; none in a type that is no number of
/// is_convertible().
STILLROOM_API NumberCounts count_numbers(Dtype dtype, std::span<const std::byte> bytes);

}  // namespace stillroom::lm
