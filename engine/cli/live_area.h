#pragma once

#include "engine/cli/terminal.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom::cli {

/// The last lines of a terminal, drawn again and again, below text that scrolls up. The cursor
/// rests at the start of the line below them, so that what others print there is drawn over and
/// nothing above is touched. Each drawing is one write.
///
/// When the terminal gets narrower it breaks drawn lines; how many rows they take then is worked
/// out from the width they had, as terminals that reflow do it.
class LiveArea {
public:
    explicit LiveArea(std::function<void(std::string_view)> sink) : sink_(std::move(sink)) {}

    /// For above the drawn lines; written with the next drawing.
    void scroll(const std::string& line) { above_ += line + "\n"; }

    /// Draws these lines, each narrower than the terminal, in place of those there. With an empty
    /// size nothing but scrolled text is written.
    void draw(const std::vector<std::string>& lines, const TerminalSize& size);

private:
    std::function<void(std::string_view)> sink_;
    std::string above_;
    std::vector<std::string> drawn_;
    TerminalSize size_;
};

}  // namespace stillroom::cli
