#include "plugins/evaluate/table.h"

#include "engine/base/text.h"

#include <algorithm>

namespace stillroom::evaluate {

std::string table_text(const std::vector<std::vector<std::string>>& rows) {
    std::vector<std::size_t> widths;
    auto width = [](const std::string& cell) {
        return static_cast<std::size_t>(display_width(cell));
    };
    for (const std::vector<std::string>& row : rows)
        for (std::size_t i = 0; i < row.size(); i++) {
            if (i == widths.size())
                widths.push_back(3);
            widths[i] = std::max(widths[i], width(row[i]));
        }
    std::string out;
    for (std::size_t at = 0; at < rows.size(); at++) {
        for (std::size_t i = 0; i < widths.size(); i++) {
            const std::string& cell = i < rows[at].size() ? rows[at][i] : std::string();
            std::string blanks(widths[i] - width(cell), ' ');
            out += i == 0 ? "| " + cell + blanks : " | " + blanks + cell;
        }
        out += " |\n";
        for (std::size_t i = 0; at == 0 && i < widths.size(); i++)
            out += i == 0 ? "| " + std::string(widths[i], '-')
                          : " | " + std::string(widths[i] - 1, '-') + ":";
        if (at == 0)
            out += " |\n";
    }
    return out;
}

}  // namespace stillroom::evaluate
