#pragma once

#include "engine/base/api.h"
#include "plugins/lm/weights/tensor.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom::lm {

using TensorMetadata = std::map<std::string, std::string>;

/// Loaders refuse files that do not say this of themselves.
inline const TensorMetadata kTorchFormat = {{"format", "pt"}};

/// What transformers 4 and the hub library take; transformers 5 takes ten times as much.
inline constexpr std::uint64_t kShardSize = 5'000'000'000;

/// A safetensors file to be written, byte for byte as the format's own library would.
struct FileLayout {
    std::string name;                 ///< "model-00001-of-00003.safetensors"
    std::string header;               ///< its length, the JSON, padding
    std::vector<TensorInfo> tensors;  ///< in the order of their bytes; offsets in the file
    std::vector<std::size_t> origin;  ///< of each: its place in the list that was given
    std::uint64_t size = 0;           ///< of the whole file
};

/// One file of tensors whose name, dtype and shape are set; offsets and sizes are worked out.
/// Throws Error (exit 70) for two of one name and a header over the limit.
STILLROOM_API FileLayout lay_out_file(std::string name,
                                      const std::vector<TensorInfo>& tensors,
                                      const TensorMetadata& metadata);

struct ModelLayout {
    std::vector<FileLayout> files;
    std::string index;  ///< the text of model.safetensors.index.json; empty for one file
    std::uint64_t tensor_bytes = 0;
    std::uint64_t parameters = 0;
};

/// A model folder's files, divided as transformers divides them. The order of the tensors decides
/// which lie together.
STILLROOM_API ModelLayout lay_out_model(const std::vector<TensorInfo>& tensors,
                                        std::uint64_t max_shard_size = kShardSize);

}  // namespace stillroom::lm
