#pragma once

#include <string>
#include <vector>

namespace stillroom::cli {

/// Columns as wide as their widest cell, the last one open. Cells hold no control characters.
std::string table(const std::vector<std::vector<std::string>>& rows);

}  // namespace stillroom::cli
