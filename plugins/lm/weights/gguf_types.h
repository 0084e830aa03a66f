#pragma once

#include "engine/base/api.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace stillroom::lm {

/// How GGUF stores a tensor's values: in blocks along a row, each of so many values in so many
/// bytes.
struct BlockType {
    std::uint32_t id;
    std::string_view name;  ///< "Q4_1"
    std::uint32_t values, bytes;
    bool readable;  ///< whether quantized.h turns it into numbers
};

/// Null for an id that GGUF does not have.
STILLROOM_API const BlockType* block_type(std::uint32_t id);

/// "F32, F16, ... and Q6_K"
STILLROOM_API std::string readable_block_types();

// The ids that code names.
inline constexpr std::uint32_t kGgufF32 = 0, kGgufF16 = 1, kGgufQ4_0 = 2, kGgufQ4_1 = 3,
                               kGgufQ5_0 = 6, kGgufQ5_1 = 7, kGgufQ8_0 = 8, kGgufQ4_K = 12,
                               kGgufQ6_K = 14, kGgufBf16 = 30;

}  // namespace stillroom::lm
