#pragma once

#include "engine/base/api.h"

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stillroom::lm {

/// What model.safetensors.index.json says, checked as far as it can be without a shard.
struct ShardIndex {
    std::map<std::string, std::size_t> tensors_in;              // of each shard: how many
    std::vector<std::pair<std::string, std::string>> shard_of;  // of each tensor, sorted by name
    std::optional<std::uint64_t> total_size;

    const std::string* find(std::string_view tensor) const;  ///< the shard; null: no such tensor
};

/// Throws Error, naming `path`: exit 10 for a shard outside the folder, else 3.
STILLROOM_API ShardIndex read_shard_index(std::string_view text, const std::filesystem::path& path);

/// A shard is a relative path below the folder that ends in ".safetensors". Throws Error: exit 10
/// if it leads elsewhere, else 3. `index` is named in the message.
STILLROOM_API void check_shard_name(std::string_view name, const std::filesystem::path& index);

}  // namespace stillroom::lm
