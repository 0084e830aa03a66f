#include "plugins/lm/tokenizer/word_starts.h"

#include <bit>
#include <cstring>
#include <initializer_list>

#if defined(__x86_64__)
#include <immintrin.h>
#define STILLROOM_TIERS 1
#endif

namespace stillroom::lm {
namespace {

constexpr std::size_t kLook = 64;

std::uint64_t first_bits(std::size_t count) {
    return count >= 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << count) - 1;
}

// Each tier reads `count` bytes, at most 64, and writes where bits stand, as base + place. It may
// write 64 places.

void plain_classes(const char* text, std::size_t count, ByteClasses& out) {
    out = {};
    for (std::size_t i = 0; i < count; ++i) {
        auto c = static_cast<unsigned char>(text[i]);
        std::uint64_t bit = std::uint64_t{1} << i;
        out.ascii |= c < 0x80 ? bit : 0;
        out.letters |= (c | 32) >= 'a' && (c | 32) <= 'z' ? bit : 0;
        out.capitals |= c >= 'A' && c <= 'Z' ? bit : 0;
        out.digits |= c >= '0' && c <= '9' ? bit : 0;
        out.spaces |= c == ' ' ? bit : 0;
        out.blanks |= c == ' ' || (c >= 9 && c <= 13) ? bit : 0;
        out.newlines |= c == '\n' || c == '\r' ? bit : 0;
        out.quotes |= c == '\'' ? bit : 0;
        out.slashes |= c == '/' ? bit : 0;
        out.controls |= (c < 32 && (c < 9 || c > 13)) || c == 127 ? bit : 0;
    }
}

std::size_t plain_places(std::uint64_t bits, std::uint32_t base, std::uint32_t* out) {
    std::size_t count = 0;
    for (; bits != 0; bits &= bits - 1)
        out[count++] = base + static_cast<std::uint32_t>(std::countr_zero(bits));
    return count;
}

#ifdef STILLROOM_TIERS

__attribute__((target("avx2"))) inline std::uint64_t avx2_bits(__m256i low, __m256i high) {
    return static_cast<std::uint32_t>(_mm256_movemask_epi8(low)) |
           static_cast<std::uint64_t>(static_cast<std::uint32_t>(_mm256_movemask_epi8(high))) << 32;
}

__attribute__((target("avx2"))) inline __m256i avx2_equal(__m256i bytes, char to) {
    return _mm256_cmpeq_epi8(bytes, _mm256_set1_epi8(to));
}

/// Bytes from `first` on, `count` of them.
__attribute__((target("avx2"))) inline __m256i avx2_within(__m256i bytes, char first, char count) {
    __m256i moved = _mm256_sub_epi8(bytes, _mm256_set1_epi8(first));
    __m256i last = _mm256_set1_epi8(static_cast<char>(count - 1));
    return _mm256_cmpeq_epi8(_mm256_min_epu8(moved, last), moved);
}

__attribute__((target("avx2"))) void avx2_classes(const char* text,
                                                  std::size_t count,
                                                  ByteClasses& out) {
    char copy[kLook];
    if (count < kLook) {
        std::memset(copy, 0, sizeof copy);
        std::memcpy(copy, text, count);
        text = copy;
    }
    __m256i a = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text));
    __m256i b = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text + 32));
    __m256i small = _mm256_set1_epi8(32);
    std::uint64_t there = first_bits(count);
    out.ascii = ~avx2_bits(a, b) & there;
    out.letters = avx2_bits(avx2_within(_mm256_or_si256(a, small), 'a', 26),
                            avx2_within(_mm256_or_si256(b, small), 'a', 26));
    out.capitals = avx2_bits(avx2_within(a, 'A', 26), avx2_within(b, 'A', 26));
    out.digits = avx2_bits(avx2_within(a, '0', 10), avx2_within(b, '0', 10));
    out.spaces = avx2_bits(avx2_equal(a, ' '), avx2_equal(b, ' '));
    out.blanks = out.spaces | avx2_bits(avx2_within(a, 9, 5), avx2_within(b, 9, 5));
    out.newlines = avx2_bits(_mm256_or_si256(avx2_equal(a, '\n'), avx2_equal(a, '\r')),
                             _mm256_or_si256(avx2_equal(b, '\n'), avx2_equal(b, '\r')));
    out.quotes = avx2_bits(avx2_equal(a, '\''), avx2_equal(b, '\''));
    out.slashes = avx2_bits(avx2_equal(a, '/'), avx2_equal(b, '/'));
    out.controls = (avx2_bits(avx2_within(a, 0, 32), avx2_within(b, 0, 32)) & ~out.blanks) |
                   avx2_bits(avx2_equal(a, 127), avx2_equal(b, 127));
}

#define STILLROOM_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512vbmi2")))

STILLROOM_AVX512 inline std::uint64_t avx512_within(__m512i bytes, char first, char count) {
    __m512i moved = _mm512_sub_epi8(bytes, _mm512_set1_epi8(first));
    return _mm512_cmplt_epu8_mask(moved, _mm512_set1_epi8(count));
}

STILLROOM_AVX512 void avx512_classes(const char* text, std::size_t count, ByteClasses& out) {
    std::uint64_t there = first_bits(count);
    __m512i bytes = _mm512_maskz_loadu_epi8(there, text);
    __m512i lower = _mm512_or_si512(bytes, _mm512_set1_epi8(32));
    out.ascii = ~_mm512_movepi8_mask(bytes) & there;
    out.letters = avx512_within(lower, 'a', 26);
    out.capitals = avx512_within(bytes, 'A', 26);
    out.digits = avx512_within(bytes, '0', 10);
    out.spaces = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(' '));
    out.blanks = out.spaces | avx512_within(bytes, 9, 5);
    out.newlines = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('\n')) |
                   _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('\r'));
    out.quotes = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('\''));
    out.slashes = _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8('/'));
    out.controls = (avx512_within(bytes, 0, 32) & ~out.blanks) |
                   _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(127));
}

alignas(64) constexpr auto kUpTo63 = [] {
    struct {
        char at[64];
    } out{};
    for (int i = 0; i < 64; ++i)
        out.at[i] = static_cast<char>(i);
    return out;
}();

STILLROOM_AVX512 std::size_t avx512_places(std::uint64_t bits,
                                           std::uint32_t base,
                                           std::uint32_t* out) {
    alignas(64) char places[kLook];
    _mm512_store_si512(places, _mm512_maskz_compress_epi8(bits, _mm512_load_si512(kUpTo63.at)));
    auto count = static_cast<std::size_t>(std::popcount(bits));
    __m512i from = _mm512_set1_epi32(static_cast<int>(base));
    for (std::size_t i = 0; i < count; i += 16) {
        __m128i sixteen = _mm_load_si128(reinterpret_cast<const __m128i*>(places + i));
        // Masked by everything: g++ 12 warns of the plain one's own header.
        __m512i wide = _mm512_maskz_cvtepu8_epi32(0xFFFF, sixteen);
        _mm512_storeu_si512(out + i, _mm512_add_epi32(from, wide));
    }
    return count;
}

#endif

struct Functions {
    void (*classes)(const char*, std::size_t, ByteClasses&);
    std::size_t (*places)(std::uint64_t, std::uint32_t, std::uint32_t*);
};

constexpr Functions kFunctions[] = {
    {plain_classes, plain_places},
#ifdef STILLROOM_TIERS
    {avx2_classes, plain_places},
    {avx512_classes, avx512_places},
#endif
};

/// Bytes of 's 't 're 've 'm 'll 'd, whose quote stands at `at`; 0: none.
std::size_t contraction(const char* text, std::size_t size, std::size_t at, bool any_case) {
    auto letter = [&](std::size_t i) {
        char c = i < size ? text[i] : '\0';
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

/// A look at the text from `at` on, where a word starts.
struct Look {
    const char* text;
    std::size_t size;
    std::size_t at;
    ByteClasses is;
    std::uint64_t known;  ///< the bytes from the first on that are ASCII

    std::uint64_t signs() const { return known & ~(is.letters | is.digits | is.blanks); }
    /// Blanks before something else. Where the text ends there is nothing else.
    std::uint64_t before_text() const { return is.blanks & (known & ~is.blanks) >> 1; }

    /// `'s` is a word of its own, and what follows it starts one.
    void contractions(std::uint64_t signs, bool any_case, std::uint64_t& starts) const {
        for (std::uint64_t left = is.quotes & signs; left != 0; left &= left - 1) {
            auto place = static_cast<std::size_t>(std::countr_zero(left));
            std::size_t length = contraction(text, size, at + place, any_case);
            if (length == 0)
                continue;
            starts &= ~(std::uint64_t{2} << place);
            if (place + length < kLook)
                starts |= is.letters & std::uint64_t{1} << (place + length);
        }
    }

    /// `'s` belongs to the word before it, and what follows it starts one.
    void endings(std::uint64_t signs, std::uint64_t& starts) const {
        std::size_t last = 0;  // where one ended, behind which there is no word to end
        for (std::uint64_t left = is.quotes & signs & is.letters << 1; left != 0;
             left &= left - 1) {
            auto place = static_cast<std::size_t>(std::countr_zero(left));
            std::size_t length = place == last ? 0 : contraction(text, size, at + place, true);
            if (length == 0)
                continue;
            last = place + length;
            starts &= ~(first_bits(length) << place);
            if (last < kLook)
                starts |= is.letters & std::uint64_t{1} << last;
        }
    }
};

/// `(?i:'s|...)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,n}|
/// ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`
/// and what differs from it by the rules.
std::uint64_t starts_with_lines(const Look& look, const WordRules& rules) {
    const ByteClasses& is = look.is;
    std::uint64_t signs = look.signs();
    // Newlines behind signs belong to them.
    std::uint64_t behind_signs = is.newlines & signs << 1;
    std::uint64_t taken = is.newlines & ~(is.newlines + behind_signs);
    if (rules.slashes && (is.slashes & taken << 1) != 0) {
        taken = forth_from(behind_signs, is.newlines | is.slashes);
        signs &= ~taken;
    }
    std::uint64_t first_signs = signs & ~(signs << 1) & ~(is.spaces << 1);
    std::uint64_t not_lines = is.blanks & ~is.newlines;
    std::uint64_t letters =
        is.letters & ~(is.letters << 1) & ~(not_lines << 1) & ~(first_signs << 1);
    if (rules.cases)
        letters |= is.capitals & (is.letters & ~is.capitals) << 1;
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
std::uint64_t starts_without_lines(const Look& look, const WordRules& rules) {
    const ByteClasses& is = look.is;
    std::uint64_t signs = look.signs();
    std::uint64_t first_signs = signs & ~(signs << 1) & ~(is.spaces << 1);
    std::uint64_t last_blanks = look.before_text();
    std::uint64_t digits = digit_starts(is.digits, rules.digits);
    if (rules.digits_apart)
        last_blanks &= ~(is.digits >> 1);
    else
        digits &= ~(is.spaces << 1);
    std::uint64_t starts = (is.letters & ~(is.letters << 1) & ~(is.spaces << 1)) | first_signs |
                           digits | (is.blanks & ~(is.blanks << 1)) | last_blanks;
    look.contractions(first_signs, false, starts);
    return starts;
}

}  // namespace

WordTier best_word_tier() {
#ifdef STILLROOM_TIERS
    static const WordTier best = [] {
        if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
            __builtin_cpu_supports("avx512vbmi2"))
            return WordTier::avx512;
        return __builtin_cpu_supports("avx2") ? WordTier::avx2 : WordTier::plain;
    }();
    return best;
#else
    return WordTier::plain;
#endif
}

std::size_t ascii_words(const char* text,
                        std::size_t size,
                        std::size_t at,
                        WordRules rules,
                        WordTier tier,
                        std::uint32_t* ends,
                        std::size_t most) {
    const Functions& use = kFunctions[static_cast<std::size_t>(tier)];
    std::size_t count = 0;
    while (count < most && at < size) {
        Look look{text, size, at, {}, 0};
        use.classes(text + at, size - at < kLook ? size - at : kLook, look.is);
        std::uint64_t told = look.is.ascii & ~(rules.controls_none ? look.is.controls : 0);
        auto known = static_cast<std::size_t>(std::countr_one(told));
        if (known == 0)
            break;
        look.known = first_bits(known);
        if (known < kLook) {
            ByteClasses& is = look.is;
            for (std::uint64_t* bits : {&is.letters,
                                        &is.capitals,
                                        &is.digits,
                                        &is.spaces,
                                        &is.blanks,
                                        &is.newlines,
                                        &is.quotes,
                                        &is.slashes})
                *bits &= look.known;
        }
        std::uint64_t starts =
            rules.lines ? starts_with_lines(look, rules) : starts_without_lines(look, rules);
        bool over = at + known == size;
        if (!over) {
            // Where a run of blanks goes on behind the look, only its begin is sure.
            auto blanks = static_cast<std::size_t>(std::countl_one(look.is.blanks << (64 - known)));
            starts &= first_bits(blanks == 0 ? known : known - blanks + 1);
        }
        starts &= ~std::uint64_t{1};
        auto base = static_cast<std::uint32_t>(at);
        count += use.places(starts, base, ends + count);
        if (over) {
            ends[count++] = static_cast<std::uint32_t>(size);
            break;
        }
        if (starts == 0)
            break;
        at += 63 - static_cast<std::size_t>(std::countl_zero(starts));
    }
    return count;
}

}  // namespace stillroom::lm
