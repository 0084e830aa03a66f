#pragma once

#include <cstddef>
#include <vector>

namespace stillroom::yaml {

/// What a formatter must know of a text to move its lines: noted by the reader on the way, for the
/// block style only.
struct Layout {
    /// Content that may begin a line, and how deep it stands: 0 at the root.
    struct Mark {
        std::size_t at = 0;
        std::size_t level = 0;
        bool indicator = false;  ///< a '-', '?' or ':' whose content may follow on its line
    };

    /// A value of several lines. Its lines must stay deeper than the collection around it, which
    /// stands at `column` and belongs at `level`.
    struct Range {
        std::size_t begin = 0;
        std::size_t end = 0;
        std::ptrdiff_t column = -1;  ///< -1: there is none
        std::size_t level = 0;
    };

    std::vector<Mark> marks;
    std::vector<Range> ranges;
};

}  // namespace stillroom::yaml
