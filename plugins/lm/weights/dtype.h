#pragma once

#include "engine/base/api.h"

#include <cstdint>
#include <optional>
#include <string_view>

namespace stillroom::lm {

/// The types that safetensors knows, in its rank order: a writer puts higher ones first.
enum class Dtype : std::uint8_t {
    boolean,
    f4,
    f6_e2m3,
    f6_e3m2,
    u8,
    i8,
    f8_e5m2,
    f8_e4m3,
    f8_e8m0,
    f8_e4m3fnuz,
    f8_e5m2fnuz,
    i16,
    u16,
    f16,
    bf16,
    i32,
    u32,
    f32,
    c64,
    f64,
    i64,
    u64
};

STILLROOM_API std::string_view name_of(Dtype dtype);  ///< "BF16"
STILLROOM_API std::optional<Dtype> dtype_named(std::string_view name);
STILLROOM_API int bits_of(Dtype dtype);

}  // namespace stillroom::lm
