#pragma once

#include "plugins/lm/tokenizer/compiled.h"
#include "plugins/lm/tokenizer/table.h"

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace stillroom::lm {

/// Which characters may stand beside each other inside a token. Between two that never do no merge
/// ever reaches over, so a word may be divided there and its parts merged by themselves. Knows a
/// few pairs too many, never one too few.
class Neighbours {
public:
    bool empty() const { return bits_.empty(); }
    void write(CompiledWriter& out) const;
    void read(CompiledReader& in);

    /// Before the first token: about how many characters they have in all.
    void expect(std::size_t characters);
    /// A token that is whole characters.
    void add(std::string_view text);
    /// Two tokens of bytes that merge: the last four bytes of the one and the first four of the
    /// other, or all that they have. What reaches over two characters has been made by a merge in
    /// the very place between them. Pairs with an ASCII character are left out.
    void add_meeting(std::string_view left, std::string_view right);

    bool may_join(char32_t left, char32_t right) const {
        std::uint64_t bit = place_of(kind(left), kind(right));
        return ((bits_.data()[bit >> 6] >> (bit & 63)) | (parts_[left & 63] >> lead(right))) & 1;
    }

private:
    /// The first byte of a character, as a number below 64.
    static int lead(char32_t c) {
        return static_cast<int>(c < 0x800 ? c >> 6 : c < 0x10000 ? 32 + (c >> 12) : 48 + (c >> 18));
    }
    static int lead_of(char byte);

    /// Beyond U+FFFF only the highest bits count, so that a part of a character tells few of them.
    static std::uint32_t kind(char32_t c) { return c < 0x10000 ? c : 0x10000 + (c >> 12); }

    std::uint64_t place_of(std::uint32_t left, std::uint32_t right) const {
        std::uint64_t pair = static_cast<std::uint64_t>(left) << 17 | right;
        return pair * 0x9E3779B97F4A7C15 >> shift_;
    }
    void join(std::uint32_t left, std::uint32_t right);

    Table<std::uint64_t> bits_;
    /// Tokens that hold neither character whole: by the left one's last byte, a bit for each first
    /// byte of the right one.
    std::array<std::uint64_t, 64> parts_{};
    int shift_ = 0;
};

}  // namespace stillroom::lm
