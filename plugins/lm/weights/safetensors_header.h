#pragma once

#include "engine/base/api.h"
#include "plugins/lm/weights/tensor.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stillroom::lm {

/// What a header may take at most. The format's own reader has the first limit.
inline constexpr std::uint64_t kMostHeaderBytes = 100'000'000;
inline constexpr std::size_t kMostTensors = 1'000'000;
inline constexpr std::size_t kMostDims = 64;
inline constexpr std::size_t kMostMetadata = 100'000;

struct SafetensorsHeader {
    std::vector<TensorInfo>
        tensors;  ///< in the order of their bytes; offsets from the data's begin
    std::vector<std::pair<std::string, std::string>> metadata;  ///< as written
    std::vector<std::uint32_t> by_name;                         ///< indices of tensors, sorted

    const TensorInfo* find(std::string_view name) const;  ///< null: no such tensor
};

/// Reads the JSON of a header, in front of `data_bytes` of data. Everything is checked: the
/// grammar, each name once, each shape against its bytes, the bytes of all without hole and
/// overlap. Memory is in proportion to the text. Throws Error (exit 3) that names `file` and what
/// is wrong.
STILLROOM_API SafetensorsHeader read_safetensors_header(std::string_view text,
                                                        std::uint64_t data_bytes,
                                                        std::string_view file);

}  // namespace stillroom::lm
