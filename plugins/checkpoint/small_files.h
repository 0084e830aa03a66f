#pragma once

#include "plugins/checkpoint/model_folder.h"
#include "plugins/lm/weights/small_files.h"

#include <filesystem>
#include <set>
#include <string>

namespace stillroom::checkpoint {

/// Copies the small files of a model folder; `left_out` are names that the caller writes itself.
lm::CopiedFiles copy_small_files(const std::filesystem::path& from,
                                 const FolderFiles& files,
                                 const std::filesystem::path& to,
                                 const std::set<std::string>& left_out);

/// Of an older model in this folder: small files that are not among `kept` go.
void remove_small_files(const std::filesystem::path& folder, const std::set<std::string>& kept);

}  // namespace stillroom::checkpoint
