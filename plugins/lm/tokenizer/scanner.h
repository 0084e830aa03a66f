#pragma once

#include <cstddef>
#include <memory>
#include <string_view>

namespace stillroom::lm {

/// Finds the matches of one split pattern from left to right, as the regex would. The text is valid
/// UTF-8. Const and thread-safe; one pass over a text takes time in proportion to it.
class Scanner {
public:
    struct Match {
        std::size_t begin = 0;
        std::size_t end = 0;  ///< never before begin
    };

    virtual ~Scanner();
    /// The first match that begins at or behind `from`; false: there is none.
    virtual bool next(std::string_view text, std::size_t from, Match& match) const = 0;
    /// The end of the match that begins at `from`, for patterns that leave no gap (`covers`).
    virtual std::size_t advance(std::string_view text, std::size_t from) const;
    virtual bool covers() const { return false; }
};

/// The scanner of a published pattern, recognised by its exact text; null: one we do not know.
std::unique_ptr<Scanner> known_scanner(std::string_view pattern);

extern const std::string_view kGpt2Pattern;

}  // namespace stillroom::lm
