#include "plugins/lm/tokenizer/word_starts.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <initializer_list>

namespace stillroom::lm {
namespace {

constexpr std::size_t kLook = ByteFunctions::kMost;

/// Bytes of 's 't 're 've 'm 'll 'd, whose quote stands at `at`; 0: none.
std::size_t contraction(std::string_view text, std::size_t at, bool any_case) {
    auto letter = [&](std::size_t i) {
        char c = i < text.size() ? text[i] : '\0';
        return any_case && c >= 'A' && c <= 'Z' ? static_cast<char>(c | 32) : c;
    };
    switch (letter(at + 1)) {
        case 's':
        case 't':
        case 'm':
        case 'd':
            return 2;
        case 'r':
        case 'v':
            return letter(at + 2) == 'e' ? 3 : 0;
        case 'l':
            return letter(at + 2) == 'l' ? 3 : 0;
        case '\xC5':  // U+017F, whose capital is S
            return any_case && letter(at + 2) == '\xBF' ? 3 : 0;
        default:
            return 0;
    }
}

/// Of each run of digits every `group`th.
std::uint64_t digit_starts(std::uint64_t digits, int group) {
    if (group == 1)
        return digits;
    std::uint64_t first = digits & ~(digits << 1), out = first;
    if (group != 3)
        return out;
    std::uint64_t four = digits & digits >> 1;  // four in a row from here
    four &= four >> 2;
    while ((first &= four) != 0)
        out |= first <<= 3;
    return out;
}

/// The bits of `within` that lead to a bit of `to` through it, those too.
std::uint64_t back_from(std::uint64_t to, std::uint64_t within) {
    to &= within;
    for (int step = 1; step < 64; step *= 2) {
        to |= within & to >> step;
        within &= within >> step;
    }
    return to;
}

/// The bits of `within` that a bit of `from` leads to through it, those too.
std::uint64_t forth_from(std::uint64_t from, std::uint64_t within) {
    from &= within;
    for (int step = 1; step < 64; step *= 2) {
        from |= within & from << step;
        within &= within << step;
    }
    return from;
}

/// A look at the text from `at` on, where a word starts. `wide`: some characters are not ASCII.
template <bool wide>
struct Look {
    std::string_view text;
    std::size_t at;
    ByteClasses is;
    std::uint64_t known;  ///< the bytes from the first on whose classes are told

    /// From the first bytes of characters to those of the next.
    std::uint64_t next(std::uint64_t bits) const {
        if constexpr (wide)
            return ((bits << 1) + is.inner) & ~is.inner;
        return bits << 1;
    }
    /// From the first bytes of characters to all of them.
    std::uint64_t whole(std::uint64_t bits) const {
        if constexpr (wide)
            return bits | (is.inner & ~(is.inner + (bits << 1 & is.inner)));
        return bits;
    }

    std::uint64_t signs() const { return known & ~(is.letters | is.digits | is.blanks | is.inner); }
    /// Blanks before something else. Where the text ends there is nothing else.
    std::uint64_t before_text() const { return is.blanks & (known & ~is.blanks) >> 1; }

    /// `'s` is a word of its own, and what follows it starts one.
    void contractions(std::uint64_t signs, bool any_case, std::uint64_t& starts) const {
        for (std::uint64_t left = is.quotes & signs; left != 0; left &= left - 1) {
            auto place = static_cast<std::size_t>(std::countr_zero(left));
            std::size_t length = contraction(text, at + place, any_case);
            if (length == 0)
                continue;
            starts &= ~(std::uint64_t{2} << place);
            if (place + length < kLook)
                starts |= is.letters & std::uint64_t{1} << (place + length);
        }
    }

    /// `'s` belongs to the word before it, and what follows it starts one.
    void endings(std::uint64_t signs, std::uint64_t& starts) {
        std::size_t last = 0;  // where one ended, behind which there is no word to end
        for (std::uint64_t left = is.quotes & signs & next(is.letters); left != 0;
             left &= left - 1) {
            auto place = static_cast<std::size_t>(std::countr_zero(left));
            std::size_t length = place == last ? 0 : contraction(text, at + place, true);
            if (length == 0)
                continue;
            last = place + length;
            starts &= ~(first_bits(length) << place);
            if (last >= kLook)
                continue;
            std::uint64_t behind = std::uint64_t{1} << last;
            starts |= is.letters & behind;
            if (is.caseless & behind) {  // What capitals behind it are was told by the 's.
                known &= behind | (behind - 1);
                starts &= known;
                return;
            }
        }
    }

    /// Capitals that start a word behind other letters, by
    /// `[capital caseless]*[small caseless]+|[capital caseless]+[small caseless]*`.
    std::uint64_t capitals() const {
        std::uint64_t behind_small = next(is.letters & ~is.capitals & ~is.caseless);
        if (!wide || is.caseless == 0)
            return is.capitals & behind_small;
        // A small letter and caseless ones behind it are followed by no capital.
        std::uint64_t caseless = whole(is.caseless);
        std::uint64_t out = is.capitals & (caseless + behind_small) & ~caseless;
        // Behind caseless ones without a small letter they are, where no other letter follows.
        std::uint64_t all = whole(is.capitals);
        for (std::uint64_t left = is.capitals & next(is.caseless) & ~out; left != 0;
             left &= left - 1) {
            auto place = static_cast<std::size_t>(std::countr_zero(left));
            auto end = place + static_cast<std::size_t>(std::countr_one(all >> place));
            bool told = end < kLook && known >> end & 1;
            if (told ? !(is.letters >> end & 1) : at + end == text.size())
                out |= std::uint64_t{1} << place;
        }
        return out;
    }
};

/// `(?i:'s|...)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,n}|
/// ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
/// and what differs from it by the rules.
template <bool wide>
std::uint64_t starts_with_lines(Look<wide>& look, const WordRules& rules) {
    const ByteClasses& is = look.is;
    std::uint64_t signs = look.signs();
    // Newlines behind signs belong to them.
    std::uint64_t behind_signs = is.newlines & look.next(signs);
    std::uint64_t taken = is.newlines & ~(is.newlines + behind_signs);
    if (rules.slashes && (is.slashes & taken << 1) != 0) {
        taken = forth_from(behind_signs, is.newlines | is.slashes);
        signs &= ~taken;
    }
    std::uint64_t first_signs = signs & ~look.next(signs) & ~(is.spaces << 1);
    std::uint64_t not_lines = is.blanks & ~is.newlines;
    std::uint64_t letters = is.letters & ~(not_lines << 1) & ~look.next(is.letters | first_signs);
    if (rules.cases)
        letters |= look.capitals();
    std::uint64_t last_blanks = not_lines & look.before_text();
    if (rules.digits_apart)
        last_blanks &= ~(is.digits >> 1);

    std::uint64_t blanks = is.blanks & ~taken;
    std::uint64_t starts = letters | first_signs | digit_starts(is.digits, rules.digits) |
                           (blanks & ~(blanks << 1)) | last_blanks;
    // Behind the last newline of a run of blanks the rest of it is another word.
    std::uint64_t behind_line = not_lines & (is.newlines & blanks) << 1;
    if (behind_line != 0)
        starts |= behind_line & ~back_from(is.newlines >> 1, not_lines);
    if (rules.contractions == Contractions::words)
        look.contractions(first_signs, true, starts);
    else if (rules.contractions == Contractions::ends_of_words)
        look.endings(first_signs, starts);
    return starts;
}

/// `'s|...| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`
template <bool wide>
std::uint64_t starts_without_lines(const Look<wide>& look, const WordRules& rules) {
    const ByteClasses& is = look.is;
    std::uint64_t signs = look.signs();
    std::uint64_t first_signs = signs & ~look.next(signs) & ~(is.spaces << 1);
    std::uint64_t last_blanks = look.before_text();
    std::uint64_t digits = digit_starts(is.digits, rules.digits);
    if (rules.digits_apart)
        last_blanks &= ~(is.digits >> 1);
    else
        digits &= ~(is.spaces << 1);
    std::uint64_t starts = (is.letters & ~look.next(is.letters) & ~(is.spaces << 1)) | first_signs |
                           digits | (is.blanks & ~(is.blanks << 1)) | last_blanks;
    look.contractions(first_signs, false, starts);
    return starts;
}

/// Adds what is not ASCII to the classes of `count` bytes; which of them are told now.
std::uint64_t add_wide(const char* bytes,
                       std::size_t count,
                       const WordRules& rules,
                       ByteClasses& is) {
    const Unicode& table = Unicode::get();
    std::uint64_t told = first_bits(count), marks = 0;
    auto byte = [bytes](int i) { return static_cast<unsigned char>(bytes[i]); };
    if (count == kLook)  // a character that goes on behind them
        told &= ~(std::uint64_t{byte(61) >= 0xF0} << 61 | std::uint64_t{byte(62) >= 0xE0} << 62 |
                  std::uint64_t{byte(63) >= 0xC0} << 63);
    for (std::uint64_t left = told & ~is.ascii & ~is.inner; left != 0; left &= left - 1) {
        int place = std::countr_zero(left);
        unsigned bits = table.low_bits(bytes + place);
        if (bits & Unicode::kUnknown) {
            told &= first_bits(static_cast<std::size_t>(place));
            break;
        }
        auto add = [&](std::uint64_t& to, unsigned any_of) {
            to |= std::uint64_t{(bits & any_of) != 0} << place;
        };
        add(is.letters, rules.letters);
        if (rules.cases) {
            add(is.capitals, unicode::kUpper);
            add(is.caseless, unicode::kOther);
            add(marks, unicode::kMark);
        }
    }
    if (marks != 0) {
        // Behind letters they are as caseless ones are; elsewhere they may be signs as well.
        Look<true> look{{}, 0, is, 0};
        told &= ~(marks & ~look.next(is.letters | marks));
        is.letters |= marks;
        is.caseless |= marks;
    }
    return told;
}

/// The classes that are told, from the first byte on; how many bytes those are.
std::size_t keep_known(std::uint64_t told, ByteClasses& is) {
    auto known = static_cast<std::size_t>(std::countr_one(told));
    if (known < kLook)
        for (std::uint64_t* bits : {&is.inner,
                                    &is.letters,
                                    &is.capitals,
                                    &is.caseless,
                                    &is.digits,
                                    &is.spaces,
                                    &is.blanks,
                                    &is.newlines,
                                    &is.quotes,
                                    &is.slashes})
            *bits &= first_bits(known);
    return known;
}

/// Where words start in a look; how many of its bytes tell that.
template <bool wide>
std::uint64_t starts_in(Look<wide> look, const WordRules& rules, std::size_t& known) {
    std::uint64_t starts =
        rules.lines ? starts_with_lines(look, rules) : starts_without_lines(look, rules);
    known = static_cast<std::size_t>(std::countr_one(look.known));
    return starts;
}

}  // namespace

std::size_t find_words(std::string_view text,
                       std::size_t at,
                       WordRules rules,
                       WordTier tier,
                       std::uint32_t* ends,
                       std::size_t most) {
    const ByteFunctions& use = byte_functions(tier);
    std::size_t count = 0;
    while (count < most && at < text.size()) {
        std::size_t size = std::min(text.size() - at, kLook);
        ByteClasses is;
        use.classes(text.data() + at, size, is);
        std::uint64_t told = is.ascii;
        bool wide = rules.letters != 0 && is.ascii != first_bits(size);
        if (wide && at + size < text.size()) {
            told = add_wide(text.data() + at, size, rules, is);
        } else if (wide) {
            char copy[kLook + 2] = {};  // behind a character of two bytes a third is read
            std::memcpy(copy, text.data() + at, size);
            told = add_wide(copy, size, rules, is);
        }
        std::size_t known = keep_known(told & ~(rules.controls_none ? is.controls : 0), is);
        if (known == 0)
            break;
        std::uint64_t starts =
            wide ? starts_in<true>({text, at, is, first_bits(known)}, rules, known)
                 : starts_in<false>({text, at, is, first_bits(known)}, rules, known);
        bool over = at + known == text.size();
        if (!over) {
            // Where a run of blanks goes on behind the look, only its begin is sure.
            auto blanks = static_cast<std::size_t>(std::countl_one(is.blanks << (64 - known)));
            starts &= first_bits(blanks == 0 ? known : known - blanks + 1);
        }
        starts &= ~std::uint64_t{1};
        auto base = static_cast<std::uint32_t>(at);
        count += use.places(starts, base, ends + count);
        if (over) {
            ends[count++] = static_cast<std::uint32_t>(text.size());
            break;
        }
        if (starts == 0)
            break;
        at += 63 - static_cast<std::size_t>(std::countl_zero(starts));
    }
    return count;
}

}  // namespace stillroom::lm
