#pragma once

#include "plugins/lm/weights/convert.h"

#include <cstddef>

namespace stillroom::lm {

// The inner loops of convert.h, over `count` elements at any alignment. Decoding is exact; encoding
// counts what it meets.

struct ConvertKernels {
    void (*from_bf16)(const std::byte* from, float* to, std::size_t count);
    void (*from_f16)(const std::byte* from, float* to, std::size_t count);
    NumberCounts (*to_bf16)(const float* from, std::byte* to, std::size_t count);
    NumberCounts (*to_f16)(const float* from, std::byte* to, std::size_t count);
    NumberCounts (*count)(const float* values, std::size_t count);
};

extern const ConvertKernels kPlainKernels;

/// Those for this processor.
const ConvertKernels& fast_kernels();

}  // namespace stillroom::lm
