#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace stillroom::lm {

/// What a code point is, as bits, so that a class of a split pattern is one test.
namespace unicode {
inline constexpr std::uint16_t kUpper = 1 << 0;  ///< Lu Lt
inline constexpr std::uint16_t kLower = 1 << 1;  ///< Ll
inline constexpr std::uint16_t kOther = 1 << 2;  ///< Lm Lo
inline constexpr std::uint16_t kLetter = kUpper | kLower | kOther;
inline constexpr std::uint16_t kMark = 1 << 3;
inline constexpr std::uint16_t kNumber = 1 << 4;
inline constexpr std::uint16_t kSpace = 1 << 5;  ///< White_Space, 25 code points
inline constexpr std::uint16_t kPunctuation = 1 << 6;
inline constexpr std::uint16_t kSymbol = 1 << 7;
inline constexpr std::uint16_t kWord = 1 << 8;  ///< \w: alphabetic, marks, Nd, Pc, joiners
inline constexpr std::uint16_t kOldMark =
    1 << 9;  ///< marks, as older parts of the reference know them
inline constexpr std::uint16_t kDropped = 1 << 10;         ///< controls that BERT cleans away
inline constexpr std::uint16_t kOldPunctuation = 1 << 11;  ///< punctuation, as BERT knows it
inline constexpr std::uint16_t kNonspacing = 1 << 12;      ///< marks that BERT takes away
inline constexpr std::uint16_t kNumeric = 1 << 13;         ///< N as the part Digits knows it
}  // namespace unicode

/// Bits of unicode:: by code point (Unicode 16).
class Unicode {
public:
    static const Unicode& get();

    std::uint16_t bits(char32_t c) const {
        return values_.data()[static_cast<std::size_t>(pages_.data()[c >> 7]) << 7 | (c & 127)];
    }
    bool is(char32_t c, std::uint16_t any_of) const { return (bits(c) & any_of) != 0; }

    /// Of every character that begins with these two bytes, if they have the same; else kDiffer.
    std::uint16_t bits_of_all(unsigned char first, unsigned char second) const {
        return by_two_[(first & 63u) << 6 | (second & 63u)];
    }
    static constexpr std::uint16_t kDiffer = 1 << 15;

    /// The lower eight bits of the character of two bytes or more that begins at `at`, from which
    /// three bytes can be read; kUnknown where they do not tell them, or other bits say more.
    std::uint8_t low_bits(const char* at) const {
        auto byte = [at](int i) { return static_cast<unsigned char>(at[i]) & 63u; };
        return thirds_.data()[third_pages_[byte(0) << 6 | byte(1)] << 6 | byte(2)];
    }
    static constexpr std::uint8_t kUnknown = unicode::kNumber | unicode::kSpace;  // which none is

private:
    Unicode();
    void make_thirds();

    std::vector<std::uint16_t> pages_;
    std::vector<std::uint16_t> values_;
    std::array<std::uint16_t, 4096> by_two_{};
    std::array<std::uint16_t, 4096> third_pages_{};  // by the first two bytes
    std::vector<std::uint8_t> thirds_;               // by the third
};

char32_t lower_case(char32_t c);  ///< but for U+0130, which is i and U+0307

/// The code point at `at` of valid UTF-8, and its length.
inline char32_t code_point(const char* at, int& length) {
    auto byte = [at](int i) { return static_cast<unsigned char>(at[i]); };
    unsigned first = byte(0);
    if (first < 0x80) {
        length = 1;
        return first;
    }
    if (first < 0xE0) {
        length = 2;
        return (first & 31) << 6 | (byte(1) & 63u);
    }
    if (first < 0xF0) {
        length = 3;
        return (first & 15) << 12 | (byte(1) & 63u) << 6 | (byte(2) & 63u);
    }
    length = 4;
    return (first & 7) << 18 | (byte(1) & 63u) << 12 | (byte(2) & 63u) << 6 | (byte(3) & 63u);
}

inline int utf8_length(char32_t c) {
    return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
}

/// The last code point before `end` of valid UTF-8 and its length. There must be one.
inline char32_t code_point_before(const char* end, int& length) {
    const char* at = end - 1;
    while ((static_cast<unsigned char>(*at) & 0xC0) == 0x80)
        --at;
    return code_point(at, length);
}

/// Bytes of the longest beginning of `text` that is whole and valid, and how what follows reads:
/// the rule by which a lossy decoder puts one U+FFFD for each longest beginning of a sequence.
struct Utf8Prefix {
    std::size_t valid = 0;  ///< bytes
    std::size_t bad = 0;    ///< bytes behind them that one U+FFFD stands for; 0: none
    bool cut = false;       ///< those bytes begin a sequence that more bytes could complete
};
Utf8Prefix utf8_prefix(std::string_view text);

}  // namespace stillroom::lm
