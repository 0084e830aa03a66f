#pragma once

#include "plugins/lm/tokenizer/word_starts.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
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
    /// Ends of the words from `at` on, one behind the other, of such a pattern: at least one, at
    /// most `most` and a few; kMoreWords places behind `most` may be written over.
    virtual std::size_t words(std::string_view text,
                              std::size_t at,
                              std::uint32_t* ends,
                              std::size_t most) const;
    static constexpr std::size_t kMoreWords = 64;
};

/// The scanner of a published pattern, recognised by its exact text; null: one we do not know.
/// `tier`: what it may use of the machine; each finds the same.
std::unique_ptr<Scanner> known_scanner(std::string_view pattern, WordTier tier = best_word_tier());
/// Of published patterns that stand one behind the other, each to isolate what it matches.
std::unique_ptr<Scanner> known_scanner(std::span<const std::string> patterns,
                                       WordTier tier = best_word_tier());
/// GPT-2's behind a cut at each digit, which `unicode::kNumeric` tells.
std::unique_ptr<Scanner> gpt2_scanner_of_single_digits(WordTier tier = best_word_tier());

extern const std::string_view kGpt2Pattern;

}  // namespace stillroom::lm
