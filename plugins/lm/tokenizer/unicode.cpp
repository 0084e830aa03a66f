#include "plugins/lm/tokenizer/unicode.h"

#include "plugins/lm/tokenizer/unicode_tables.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <span>

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

/// Runs of code points with their bits, in order, a page of 128 after the other.
class Pages {
public:
    Pages() {
        sets_[0].bit = unicode::kOldMark;
        sets_[0].borders = tables::old_marks();
        sets_[1].bit = unicode::kNonspacing;
        sets_[1].borders = tables::nonspacing();
        sets_[2].bit = unicode::kNumeric;
        sets_[2].borders = tables::numeric();
        sets_[3].bit = unicode::kDropped;
        sets_[3].borders = tables::dropped();
        sets_[4].bit = unicode::kOldPunctuation;
        sets_[4].borders = tables::old_punctuation();
    }

    using Page = std::array<std::uint16_t, 128>;

    /// The next one. true: one run fills it.
    bool next(Page& page) {
        char32_t begin = begin_, end = begin_ += static_cast<char32_t>(page.size());
        bool filled = categories(begin, end, page);
        for (Set& set : sets_)
            filled = set.mark(begin, end, page) && filled;
        auto add = [&](char32_t c, std::uint16_t bit) {
            if (c >= begin && c < end) {
                page[c - begin] |= bit;
                filled = false;
            }
        };
        for (char32_t c : kSpaces)
            add(c, unicode::kSpace);
        for (char32_t joiner : {0x200C, 0x200D})
            add(joiner, unicode::kWord);
        return filled;
    }

private:
    static std::uint16_t bits_of(std::uint32_t run) {
        std::size_t category = run & 31;
        std::uint16_t bits = category < std::size(kOfCategory) ? kOfCategory[category] : 0;
        return bits | (run & 32 ? unicode::kWord : 0);
    }

    bool categories(char32_t begin, char32_t end, Page& page) {
        std::span<const std::uint32_t> runs = tables::category_runs();
        bool filled = true;
        for (char32_t c = begin; c < end;) {
            while (run_ + 1 < runs.size() && runs[run_ + 1] >> 8 <= c)
                ++run_;
            char32_t run_end = run_ + 1 < runs.size() ? runs[run_ + 1] >> 8 : kLast;
            char32_t until = std::min(end, run_end);
            std::fill(
                page.data() + (c - begin), page.data() + (until - begin), bits_of(runs[run_]));
            filled = filled && until - c == page.size();
            c = until;
        }
        return filled;
    }

    /// Code points of one bit: where they begin and end by turns.
    struct Set {
        std::span<const std::uint32_t> borders;
        std::size_t at = 0;  ///< of a range that ends behind what was asked last
        std::uint16_t bit = 0;

        bool mark(char32_t begin, char32_t end, Page& page) {
            auto end_of = [this](std::size_t i) {
                return i + 1 < borders.size() ? borders[i + 1] : kLast;
            };
            while (at < borders.size() && end_of(at) <= begin)
                at += 2;
            bool filled = true;
            for (std::size_t i = at; i < borders.size() && borders[i] < end; i += 2) {
                char32_t from = std::max<char32_t>(borders[i], begin);
                char32_t until = std::min<char32_t>(end_of(i), end);
                for (char32_t c = from; c < until; ++c)
                    page[c - begin] |= bit;
                filled = filled && until - from == page.size();
            }
            return filled;
        }
    };

    Set sets_[5];
    std::size_t run_ = 0;
    char32_t begin_ = 0;
};

}  // namespace

Unicode::Unicode() {
    Pages pages;
    Pages::Page page{};
    std::map<std::uint16_t, std::uint16_t> filled;  // pages of one value
    std::vector<bool> is_filled;
    for (char32_t begin = 0; begin < kLast; begin += static_cast<char32_t>(page.size())) {
        auto next = static_cast<std::uint16_t>(is_filled.size());
        bool one = pages.next(page);
        std::uint16_t index = one ? filled.try_emplace(page[0], next).first->second : next;
        pages_.push_back(index);
        if (index == next) {
            is_filled.push_back(one);
            values_.insert(values_.end(), page.begin(), page.end());
        }
    }
    for (char32_t c = 0x80; c < 0x800; ++c)
        by_two_[c] = bits(c);
    // Of three bytes, and by their halves of four: 64 and 4096 characters share two bytes.
    for (char32_t c = 0x800; c < 0x10000; c += 64) {
        const std::uint16_t* first = &values_[std::size_t{pages_[c >> 7]} << 7 | (c & 127)];
        bool same = std::all_of(first, first + 64, [&](std::uint16_t v) { return v == *first; });
        by_two_[32 * 64 + (c >> 6)] = same ? *first : kDiffer;
    }
    for (char32_t c = 0x10000; c < kLast; c += 4096) {
        const std::uint16_t* first = &pages_[c >> 7];
        bool same = is_filled[*first] &&
                    std::all_of(first, first + 32, [&](std::uint16_t p) { return p == *first; });
        by_two_[48 * 64 + (c >> 12)] = same ? bits(c) : kDiffer;
    }
    make_thirds();
}

void Unicode::make_thirds() {
    auto low = [](std::uint16_t bits) {
        return bits & unicode::kNumeric ? kUnknown : static_cast<std::uint8_t>(bits);
    };
    std::map<std::uint8_t, std::uint16_t> filled;  // pages of one value
    auto next = [this] { return static_cast<std::uint16_t>(thirds_.size() / 64); };
    auto fill = [&](std::uint8_t value) {
        auto [page, is_new] = filled.try_emplace(value, next());
        if (is_new)
            thirds_.insert(thirds_.end(), 64, value);
        return page->second;
    };
    for (std::size_t two = 0; two < by_two_.size(); ++two) {
        if (by_two_[two] != kDiffer) {
            third_pages_[two] = fill(low(by_two_[two]));
            continue;
        }
        third_pages_[two] = next();
        for (char32_t third = 0; third < 64; ++third) {
            if (two < 48 * 64) {
                thirds_.push_back(low(bits(static_cast<char32_t>(two - 32 * 64) << 6 | third)));
                continue;
            }
            char32_t c = static_cast<char32_t>(two - 48 * 64) << 12 | third << 6;
            const std::uint16_t* first = &values_[std::size_t{pages_[c >> 7]} << 7 | (c & 127)];
            bool same =
                std::all_of(first, first + 64, [&](std::uint16_t v) { return v == *first; });
            thirds_.push_back(same ? low(*first) : kUnknown);
        }
    }
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
