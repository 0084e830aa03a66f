#include "engine/cli/live_area.h"

#include "engine/base/text.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::cli {
namespace {

constexpr const char* kClearLine = "\x1b[K";
constexpr const char* kClearBelow = "\x1b[J";
// Where a terminal counts a character wider than we do, the line is cut and not broken.
constexpr const char* kNoWrap = "\x1b[?7l";
constexpr const char* kWrap = "\x1b[?7h";

int rows_of(const std::string& line, int columns) {
    return std::max(1, (display_width(line) + columns - 1) / columns);
}

}  // namespace

void LiveArea::draw(const std::vector<std::string>& lines, const TerminalSize& size) {
    if (size.columns <= 0 || size.rows <= 0) {
        drawn_.clear();
        if (!above_.empty())
            sink_(above_);
        above_.clear();
        return;
    }
    bool same_size = size.columns == size_.columns && size.rows == size_.rows;
    if (above_.empty() && lines == drawn_ && same_size)
        return;
    std::string out;
    int up = 0;
    for (const std::string& line : drawn_)
        up += rows_of(line, size.columns);
    up = std::min(up, size.rows - 1);
    if (up > 0)
        out += fmt::format("\r\x1b[{}A", up);
    if (!above_.empty() && !drawn_.empty())
        out += kClearBelow;
    out += above_;
    if (!lines.empty())
        out += kNoWrap;
    for (const std::string& line : lines)
        out += line + kClearLine + "\n";
    if (!lines.empty())
        out += kWrap;
    if (up > 0)
        out += kClearBelow;
    above_.clear();
    drawn_ = lines;
    size_ = size;
    sink_(out);
}

}  // namespace stillroom::cli
