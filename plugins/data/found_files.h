#pragma once

#include "plugins/lm/data/dataset_folder.h"

#include <filesystem>
#include <vector>

namespace stillroom::data {

/// What the paths of data.open name: prefixes, absolute, and what a dataset.json beside them says.
struct FoundFiles {
    lm::DatasetInfo info;                     ///< without counts
    std::vector<std::filesystem::path> read;  ///< small files that decided it
};

/// Each path is an .idx or .bin file, the common beginning of such a pair, a folder of them (with a
/// dataset.json, as our own are, or without), or a blend file (.txt). Throws Error (exit 3) naming
/// what is there instead.
FoundFiles find_files(const std::vector<std::filesystem::path>& paths);

}  // namespace stillroom::data
