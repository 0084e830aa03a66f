#pragma once

#include <string>
#include <vector>

namespace stillroom::evaluate {

/// A table of Markdown whose columns stand below each other on a terminal too: the first row is the
/// header, the first column text, the others numbers.
std::string table_text(const std::vector<std::vector<std::string>>& rows);

}  // namespace stillroom::evaluate
