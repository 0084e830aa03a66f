#pragma once

#include "engine/base/api.h"

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom::lm {

struct CsvRow {
    std::vector<std::string> cells;
    std::size_t line = 1;  ///< where it begins
};

/// Rows of comma-separated cells by RFC 4180: a cell in quotes holds commas, newlines and, doubled,
/// quotes; a quote inside a cell without them is itself. Rows end in \n or \r\n; empty lines are
/// none. Throws Error (exit 3) with file and line for a quote that nothing closes, text behind a
/// closing quote, a row of another length than the first, or what is no UTF-8.
STILLROOM_API std::vector<CsvRow> parse_csv(std::string_view text, const std::string& name);

}  // namespace stillroom::lm
