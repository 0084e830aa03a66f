#include "engine/cli/table.h"

#include "engine/base/text.h"

#include <algorithm>

namespace stillroom::cli {

std::string table(const std::vector<std::vector<std::string>>& rows) {
    std::vector<int> widths;
    for (const auto& row : rows)
        for (std::size_t i = 0; i < row.size(); ++i) {
            if (widths.size() <= i)
                widths.push_back(0);
            widths[i] = std::max(widths[i], display_width(row[i]));
        }
    std::string out;
    for (const auto& row : rows) {
        for (std::size_t i = 0; i < row.size(); ++i) {
            out += row[i];
            if (i + 1 < row.size())
                out.append(static_cast<std::size_t>(widths[i] - display_width(row[i]) + 2), ' ');
        }
        out += "\n";
    }
    return out;
}

}  // namespace stillroom::cli
