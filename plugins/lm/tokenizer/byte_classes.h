#pragma once

#include <cstddef>
#include <cstdint>

// Which of 64 bytes are what, made by AVX-512, AVX2 or a plain loop, whichever the machine has.

namespace stillroom::lm {

/// One bit for each of up to 64 bytes.
struct ByteClasses {
    std::uint64_t ascii = 0;  ///< bytes that are there and below 0x80
    std::uint64_t inner = 0;  ///< of a character, but its first
    std::uint64_t letters = 0;
    std::uint64_t capitals = 0;  ///< of the letters
    std::uint64_t caseless = 0;  ///< of the letters; none of ASCII
    std::uint64_t digits = 0;
    std::uint64_t spaces = 0;    ///< ' '
    std::uint64_t blanks = 0;    ///< ' ' and 9 to 13
    std::uint64_t newlines = 0;  ///< '\n' and '\r'
    std::uint64_t quotes = 0;    ///< '\''
    std::uint64_t slashes = 0;   ///< '/'
    std::uint64_t controls = 0;  ///< below 32 and no blank, and 127
};

/// Which instructions make the classes.
enum class WordTier : std::uint8_t { plain, avx2, avx512 };
WordTier best_word_tier();  ///< of this machine

inline std::uint64_t first_bits(std::size_t count) {
    return count >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
}

struct ByteFunctions {
    static constexpr std::size_t kMost = 64;  ///< bytes at once

    /// What of `count` bytes is ASCII, and which are the inner ones of other characters.
    void (*classes)(const char* text, std::size_t count, ByteClasses& out);
    /// Where bits stand, as base + place; returns how many. It may write 64 places.
    std::size_t (*places)(std::uint64_t bits, std::uint32_t base, std::uint32_t* out);
};
const ByteFunctions& byte_functions(WordTier tier);

}  // namespace stillroom::lm
