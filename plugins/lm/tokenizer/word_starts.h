#pragma once

#include <cstddef>
#include <cstdint>

// Where the words of one split pattern begin, for 64 bytes of ASCII at once.
//
// A word depends on nothing before its first byte. So each look begins at the start of a word,
// makes one bit a byte for each class of characters, and finds by shifts and carries the bytes
// where words start; from the last of them that what lies behind cannot change the next look goes
// on. The classes are made by AVX-512, AVX2 or a plain loop, whichever the machine has; everything
// else is the same code. What is not ASCII ends a look, and Scanner::advance, the twin that tests
// compare with, takes over.

namespace stillroom::lm {

/// One bit for each of up to 64 bytes.
struct ByteClasses {
    std::uint64_t ascii = 0;  ///< bytes that are there and below 0x80
    std::uint64_t letters = 0;
    std::uint64_t capitals = 0;  ///< of the letters
    std::uint64_t digits = 0;
    std::uint64_t spaces = 0;    ///< ' '
    std::uint64_t blanks = 0;    ///< ' ' and 9 to 13
    std::uint64_t newlines = 0;  ///< '\n' and '\r'
    std::uint64_t quotes = 0;    ///< '\''
    std::uint64_t slashes = 0;   ///< '/'
    std::uint64_t controls = 0;  ///< below 32 and no blank, and 127
};

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
};

/// Which instructions make the classes.
enum class WordTier : std::uint8_t { plain, avx2, avx512 };
WordTier best_word_tier();  ///< of this machine

/// Ends of the words from `at` on, where one begins, as offsets in `text`, until about `most` are
/// written (up to 64 more may be) or advance() must find the next: 0 where that is the first.
/// Behind the last end the next word begins, or nothing.
std::size_t ascii_words(const char* text,
                        std::size_t size,
                        std::size_t at,
                        WordRules rules,
                        WordTier tier,
                        std::uint32_t* ends,
                        std::size_t most);

}  // namespace stillroom::lm
