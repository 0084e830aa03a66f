#pragma once

#include "engine/base/api.h"
#include "plugins/lm/weights/convert.h"
#include "plugins/lm/weights/gguf_types.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace stillroom::lm {

// From the blocks that GGUF stores to numbers. Each value is code · scale + offset, one product and
// one sum rounded to float, as llama.cpp's own Python package computes it bit for bit; then it is
// rounded to the type asked for as convert.h says. A NaN becomes the plain quiet one.

/// Turns whole blocks into F32, BF16 or F16. `type` is readable, `from` whole blocks of it, `to` as
/// long as their values need; no alignment is asked of either. Touches nothing else: callers may
/// split a tensor over threads as they like.
STILLROOM_API NumberCounts dequantize(const BlockType& type,
                                      std::span<const std::byte> from,
                                      Dtype dtype,
                                      std::span<std::byte> to);

/// The plain twin: the same bytes, value by value.
STILLROOM_API NumberCounts dequantize_plain(const BlockType& type,
                                            std::span<const std::byte> from,
                                            Dtype dtype,
                                            std::span<std::byte> to);

}  // namespace stillroom::lm
