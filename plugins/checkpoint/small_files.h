#pragma once

#include "plugins/checkpoint/model_folder.h"

#include <filesystem>
#include <set>
#include <string>
#include <vector>

namespace stillroom::checkpoint {

/// What is written into a folder besides config.json, weights and card.
struct CopiedFiles {
    std::vector<std::string> names;
    std::vector<std::string> hooks;  ///< that were left out: "tokenizer_config.json: auto_map"
};

/// Copies the small files of a model folder byte for byte, but for hooks, which go. `left_out` are
/// names that the caller writes itself.
CopiedFiles copy_small_files(const std::filesystem::path& from,
                             const FolderFiles& files,
                             const std::filesystem::path& to,
                             const std::set<std::string>& left_out);

/// Of an older model in this folder: small files that are not among `kept` go.
void remove_small_files(const std::filesystem::path& folder, const std::set<std::string>& kept);

}  // namespace stillroom::checkpoint
