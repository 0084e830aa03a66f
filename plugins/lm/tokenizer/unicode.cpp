#include "plugins/lm/tokenizer/unicode.h"

#include "plugins/lm/tokenizer/unicode_tables.h"

#include <algorithm>
#include <map>

namespace stillroom::lm {
namespace {

constexpr char32_t kLast = 0x110000;

// In the order that make_tables.py gives: Lu Ll Lt Lm Lo Mn Mc Me Nd Nl No Pc Pd Ps Pe Pi Pf Po Sm
// Sc Sk So Zs Zl Zp Cc Cf Cs Co Cn.
constexpr std::uint16_t kOfCategory[] = {
    unicode::kUpper,
    unicode::kLower,
    unicode::kUpper,
    unicode::kOther,
    unicode::kOther,
    unicode::kMark | unicode::kWord,
    unicode::kMark | unicode::kWord,
    unicode::kMark | unicode::kWord,
    unicode::kNumber | unicode::kWord,
    unicode::kNumber,
    unicode::kNumber,
    unicode::kPunctuation | unicode::kWord,
    unicode::kPunctuation,
    unicode::kPunctuation,
    unicode::kPunctuation,
    unicode::kPunctuation,
    unicode::kPunctuation,
    unicode::kPunctuation,
    unicode::kSymbol,
    unicode::kSymbol,
    unicode::kSymbol,
    unicode::kSymbol,
};

constexpr char32_t kSpaces[] = {9,      10,     11,     12,     13,     32,     0x85,
                                0xA0,   0x1680, 0x2000, 0x2001, 0x2002, 0x2003, 0x2004,
                                0x2005, 0x2006, 0x2007, 0x2008, 0x2009, 0x200A, 0x2028,
                                0x2029, 0x202F, 0x205F, 0x3000};

void mark(std::vector<std::uint16_t>& flat,
          std::span<const std::uint32_t> borders,
          std::uint16_t bit) {
    for (std::size_t i = 0; i < borders.size(); i += 2) {
        char32_t end = i + 1 < borders.size() ? borders[i + 1] : kLast;
        for (char32_t c = borders[i]; c < end; ++c)
            flat[c] |= bit;
    }
}

std::vector<std::uint16_t> flat_bits() {
    std::vector<std::uint16_t> flat(kLast);
    std::span<const std::uint32_t> runs = tables::category_runs();
    for (std::size_t i = 0; i < runs.size(); ++i) {
        std::size_t category = runs[i] & 31;
        std::uint16_t bits = category < std::size(kOfCategory) ? kOfCategory[category] : 0;
        if (runs[i] & 32)
            bits |= unicode::kWord;
        char32_t end = i + 1 < runs.size() ? runs[i + 1] >> 8 : kLast;
        std::fill(flat.begin() + (runs[i] >> 8), flat.begin() + end, bits);
    }
    for (char32_t c : kSpaces)
        flat[c] |= unicode::kSpace;
    for (char32_t joiner : {0x200C, 0x200D})
        flat[joiner] |= unicode::kWord;
    mark(flat, tables::old_marks(), unicode::kOldMark);
    mark(flat, tables::nonspacing(), unicode::kNonspacing);
    mark(flat, tables::numeric(), unicode::kNumeric);
    mark(flat, tables::dropped(), unicode::kDropped);
    mark(flat, tables::old_punctuation(), unicode::kOldPunctuation);
    return flat;
}

}  // namespace

Unicode::Unicode() {
    std::vector<std::uint16_t> flat = flat_bits();
    std::map<std::vector<std::uint16_t>, std::uint16_t> known;
    for (auto at = flat.begin(); at != flat.end(); at += 128) {
        auto [found, is_new] =
            known.try_emplace({at, at + 128}, static_cast<std::uint16_t>(values_.size() / 128));
        if (is_new)
            values_.insert(values_.end(), at, at + 128);
        pages_.push_back(found->second);
    }
    for (char32_t c = 0x80; c < 0x800; ++c)
        by_two_[c] = flat[c];
    // Of three bytes, and by their halves of four: 64 and 4096 characters share two bytes.
    auto together = [&](std::size_t first_two, char32_t begin, char32_t count) {
        auto differ = [&](std::uint16_t bits) { return bits != flat[begin]; };
        auto at = flat.begin() + static_cast<std::ptrdiff_t>(begin);
        by_two_[first_two] = std::any_of(at, at + count, differ) ? kDiffer : flat[begin];
    };
    for (char32_t c = 0x800; c < 0x10000; c += 64)
        together(32 * 64 + (c >> 6), c, 64);
    for (char32_t c = 0x10000; c < kLast; c += 4096)
        together(48 * 64 + (c >> 12), c, 4096);
}

const Unicode& Unicode::get() {
    static const Unicode table;  // immutable, made once
    return table;
}

char32_t lower_case(char32_t c) {
    if (c < 0x80)
        return c >= 'A' && c <= 'Z' ? c + 32 : c;
    std::span<const std::uint32_t> runs = tables::lower_runs();
    std::size_t low = 0, high = runs.size() / 3;
    while (low < high) {
        std::size_t middle = (low + high) / 2;
        std::uint32_t first = runs[3 * middle], last = runs[3 * middle + 1] & 0x7FFFFFFF;
        if (c < first)
            high = middle;
        else if (c > last)
            low = middle + 1;
        else if (runs[3 * middle + 1] >> 31 && (c - first) % 2 != 0)
            return c;
        else
            return c + runs[3 * middle + 2];
    }
    return c;
}

Utf8Prefix utf8_prefix(std::string_view text) {
    std::size_t at = 0, n = text.size();
    auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
    while (at < n) {
        unsigned first = byte(at);
        if (first < 0x80) {
            ++at;
            continue;
        }
        std::size_t length = first >= 0xF0 ? 4 : first >= 0xE0 ? 3 : 2;
        if (first < 0xC2 || first > 0xF4)
            return {at, 1, false};
        unsigned low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
        unsigned high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
        std::size_t have = 1;
        for (; have < length && at + have < n; ++have) {
            unsigned next = byte(at + have);
            if (next < low || next > high)
                break;
            low = 0x80, high = 0xBF;
        }
        if (have < length)
            return {at, have, at + have == n};
        at += length;
    }
    return {n, 0, false};
}

}  // namespace stillroom::lm
