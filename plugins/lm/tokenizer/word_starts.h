#pragma once

#include "plugins/lm/tokenizer/byte_classes.h"
#include "plugins/lm/tokenizer/unicode.h"

#include <cstddef>
#include <cstdint>
#include <string_view>

// Where the words of one split pattern begin, for 64 bytes at once.
//
// A word depends on nothing before its first byte. So each look begins at the start of a word,
// makes one bit a byte for each class of characters, and finds by shifts and carries the bytes
// where words start; from the last of them that what lies behind cannot change the next look goes
// on. ByteClasses of ASCII are made by what instructions the machine has. A character of more bytes
// has its bit at the first of them, told by a table. Numbers and blanks that are not ASCII end a
// look, and Scanner::advance, the twin that tests compare with, takes over.

namespace stillroom::lm {

/// What `'s` and its like are.
enum class Contractions : std::uint8_t { no, words, ends_of_words };

/// What patterns differ in.
struct WordRules {
    bool lines = true;           ///< cl100k and its like: newlines end what they stand in
    bool digits_apart = false;   ///< the text is cut at digits first
    int digits = 1;              ///< so many are one word; 0: all that follow each other
    bool cases = false;          ///< o200k and its like: a capital behind a small letter begins one
    bool slashes = false;        ///< and signs take the slashes behind them, with newlines between
    bool controls_none = false;  ///< controls are left to advance()
    Contractions contractions = Contractions::words;
    std::uint16_t letters = unicode::kLetter;  ///< what counts as such; 0: look at ASCII only
};

/// Ends of the words from `at` on, where one begins, as offsets in `text`, until about `most` are
/// written (up to 64 more may be) or advance() must find the next: 0 where that is the first.
/// Behind the last end the next word begins, or nothing.
std::size_t find_words(std::string_view text,
                       std::size_t at,
                       WordRules rules,
                       WordTier tier,
                       std::uint32_t* ends,
                       std::size_t most);

}  // namespace stillroom::lm
