#include "plugins/lm/tokenizer/normal_form.h"

#include "plugins/lm/tokenizer/unicode.h"
#include "plugins/lm/tokenizer/unicode_tables.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <span>
#include <unordered_map>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace stillroom::lm {
namespace {

constexpr char32_t kHangul = 0xAC00, kLeading = 0x1100, kVowel = 0x1161, kTrailing = 0x11A7;
constexpr char32_t kVowels = 21, kTrailings = 28, kSyllables = 11172;

// What may change in a form, and so ends the quick look.
constexpr std::uint8_t kOfForm[] = {1, 2, 4, 8};
constexpr std::uint8_t kHasClass = 16;

/// Which first bytes begin a character that a form may change: by the lower half of the byte, a bit
/// for each upper half from C on.
using LoudLeads = std::array<std::uint8_t, 16>;

struct Data {
    std::array<LoudLeads, 4> loud{};
    std::vector<std::uint8_t> pages;  // of 256 code points
    std::vector<std::uint8_t> flags;
    std::unordered_map<char32_t, std::uint8_t> classes;
    std::unordered_map<char32_t, std::span<const std::uint32_t>> canonical, compatible;
    std::unordered_map<std::uint64_t, char32_t> compositions;

    std::uint8_t flags_of(char32_t c) const {
        return flags[static_cast<std::size_t>(pages[c >> 8]) << 8 | (c & 255)];
    }
    std::uint8_t class_of(char32_t c) const {
        if (!(flags_of(c) & kHasClass))
            return 0;
        return classes.at(c);
    }
};

void read_decompositions(std::span<const std::uint32_t> table,
                         std::unordered_map<char32_t, std::span<const std::uint32_t>>& into) {
    for (std::size_t at = 0; at < table.size();) {
        std::size_t length = table[at] >> 24;
        into[table[at] & 0xFFFFFF] = table.subspan(at + 1, length);
        at += 1 + length;
    }
}

Data make_data() {
    Data out;
    std::vector<std::uint8_t> flat(0x110000);
    std::span<const std::uint32_t> classes = tables::class_runs();
    for (std::size_t i = 0; i + 1 < classes.size(); ++i) {
        if ((classes[i] & 255) == 0)
            continue;
        for (char32_t c = classes[i] >> 8; c < classes[i + 1] >> 8; ++c) {
            out.classes[c] = static_cast<std::uint8_t>(classes[i] & 255);
            flat[c] |= 15 | kHasClass;
        }
    }
    read_decompositions(tables::canonical(), out.canonical);
    read_decompositions(tables::compatible(), out.compatible);
    for (const auto& [c, parts] : out.canonical)
        flat[c] |= 15;
    for (const auto& [c, parts] : out.compatible)
        flat[c] |= 4 | 8;
    std::span<const std::uint32_t> pairs = tables::compositions();
    for (std::size_t i = 0; i < pairs.size(); i += 3) {
        out.compositions[std::uint64_t{pairs[i]} << 32 | pairs[i + 1]] = pairs[i + 2];
        flat[pairs[i + 1]] |= 1 | 4;  // may compose with what stands before it
        if (!out.classes.contains(pairs[i + 2]))
            flat[pairs[i + 2]] &= ~1;  // composes again
        if (!out.classes.contains(pairs[i + 2]) && !out.compatible.contains(pairs[i + 2]))
            flat[pairs[i + 2]] &= ~4;
    }
    for (std::size_t i = 0; i < pairs.size(); i += 3)
        flat[pairs[i + 1]] |= 1 | 4;
    for (char32_t c = kHangul; c < kHangul + kSyllables; ++c)
        flat[c] |= 2 | 8;
    for (char32_t c = kVowel; c < kVowel + kVowels; ++c)
        flat[c] |= 1 | 4;
    for (char32_t c = kTrailing + 1; c < kTrailing + kTrailings; ++c)
        flat[c] |= 1 | 4;
    for (char32_t c = 0x80; c < flat.size(); ++c) {
        if (flat[c] == 0)
            continue;
        unsigned lead = c < 0x800     ? 0xC0 | static_cast<unsigned>(c >> 6)
                        : c < 0x10000 ? 0xE0 | static_cast<unsigned>(c >> 12)
                                      : 0xF0 | static_cast<unsigned>(c >> 18);
        for (std::size_t form = 0; form < out.loud.size(); ++form)
            if (flat[c] & kOfForm[form])
                out.loud[form][lead & 15] |= static_cast<std::uint8_t>(1 << (lead >> 4 & 3));
    }
    std::unordered_map<std::string, std::uint8_t> known;
    const std::string nothing(256, '\0');
    out.flags.assign(256, 0);
    known.emplace(nothing, std::uint8_t{0});
    for (std::size_t page = 0; page < flat.size(); page += 256) {
        if (std::memcmp(&flat[page], nothing.data(), 256) == 0) {
            out.pages.push_back(0);
            continue;
        }
        auto begin = flat.begin() + static_cast<std::ptrdiff_t>(page);
        auto [found, is_new] = known.try_emplace(std::string(begin, begin + 256),
                                                 static_cast<std::uint8_t>(out.flags.size() / 256));
        if (is_new)
            out.flags.insert(out.flags.end(), begin, begin + 256);
        out.pages.push_back(found->second);
    }
    return out;
}

const Data& data() {
    static const Data made = make_data();
    return made;
}

struct Char {
    char32_t c = 0;
    int change = 0;
    std::uint8_t ccc = 0;
};

void push(const Data& table, std::vector<Char>& out, char32_t c, bool first) {
    out.push_back({c, first ? 0 : 1, table.class_of(c)});
}

void decompose(const Data& table, std::vector<Char>& out, char32_t c, bool compatible) {
    if (c - kHangul < kSyllables) {
        char32_t index = c - kHangul;
        push(table, out, kLeading + index / (kVowels * kTrailings), true);
        push(table, out, kVowel + index % (kVowels * kTrailings) / kTrailings, false);
        if (index % kTrailings != 0)
            push(table, out, kTrailing + index % kTrailings, false);
        return;
    }
    if (!(table.flags_of(c) & kOfForm[compatible ? 3 : 1])) {  // most have no parts
        push(table, out, c, true);
        return;
    }
    std::span<const std::uint32_t> parts;
    if (auto found = table.compatible.find(c); compatible && found != table.compatible.end())
        parts = found->second;
    else if (auto plain = table.canonical.find(c); plain != table.canonical.end())
        parts = plain->second;
    if (parts.empty())
        push(table, out, c, true);
    for (std::size_t i = 0; i < parts.size(); ++i)
        push(table, out, parts[i], i == 0);
}

/// Marks behind a starter in the order of their classes.
void sort_marks(std::vector<Char>& text) {
    for (auto at = text.begin(); at != text.end();) {
        if (at->ccc == 0) {
            ++at;
            continue;
        }
        auto end = std::find_if(at, text.end(), [](const Char& c) { return c.ccc == 0; });
        std::stable_sort(at, end, [](const Char& a, const Char& b) { return a.ccc < b.ccc; });
        at = end;
    }
}

/// 0: they do not compose.
char32_t compose(const Data& table, char32_t a, char32_t b) {
    if (a - kLeading < 19 && b - kVowel < kVowels)
        return kHangul + ((a - kLeading) * kVowels + (b - kVowel)) * kTrailings;
    if (a - kHangul < kSyllables && (a - kHangul) % kTrailings == 0 &&
        b - (kTrailing + 1) < kTrailings - 1)
        return a + (b - kTrailing);
    if (!(table.flags_of(b) & kOfForm[2]))
        return 0;  // composes with nothing
    auto found = table.compositions.find(std::uint64_t{a} << 32 | b);
    return found == table.compositions.end() ? 0 : found->second;
}

/// In place.
void compose(const Data& table, std::vector<Char>& text) {
    std::size_t out = 0, starter = 0;
    bool have_starter = false;
    int last_class = -1;  // of what stands between the starter and here; -1: nothing
    for (std::size_t i = 0; i < text.size(); ++i) {
        Char next = text[i];
        if (have_starter && (last_class < 0 || last_class < next.ccc)) {
            if (char32_t made = compose(table, text[starter].c, next.c)) {
                text[starter].c = made;
                text[starter].change += next.change - 1;
                continue;
            }
        }
        if (next.ccc == 0) {
            starter = out;
            have_starter = true;
            last_class = -1;
        } else {
            last_class = next.ccc;
        }
        text[out++] = next;
    }
    text.resize(out);
}

bool is_loud(const LoudLeads& loud, char c) {
    auto byte = static_cast<unsigned char>(c);
    return byte >= 0xC0 && (loud[byte & 15] >> (byte >> 4 & 3) & 1);
}

/// The first byte from `at` on that begins a character which this may concern.
std::size_t find_loud_plainly(std::string_view text, std::size_t at, const LoudLeads& loud) {
    while (at < text.size() && !is_loud(loud, text.data()[at]))
        ++at;
    return at;
}

#if defined(__x86_64__)
__attribute__((target("avx2"))) std::size_t find_loud_avx2(std::string_view text,
                                                           std::size_t at,
                                                           const LoudLeads& loud) {
    __m256i by_low =
        _mm256_broadcastsi128_si256(_mm_loadu_si128(reinterpret_cast<const __m128i*>(loud.data())));
    // Bytes below 0xC0 have no bit.
    __m256i by_high =
        _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4, 8));
    __m256i nibble = _mm256_set1_epi8(15);
    for (; text.size() - at >= 32; at += 32) {
        __m256i bytes = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text.data() + at));
        __m256i low = _mm256_shuffle_epi8(by_low, _mm256_and_si256(bytes, nibble));
        __m256i high =
            _mm256_shuffle_epi8(by_high, _mm256_and_si256(_mm256_srli_epi16(bytes, 4), nibble));
        __m256i quiet = _mm256_cmpeq_epi8(_mm256_and_si256(low, high), _mm256_setzero_si256());
        auto found = ~static_cast<std::uint32_t>(_mm256_movemask_epi8(quiet));
        if (found != 0)
            return at + static_cast<std::size_t>(std::countr_zero(found));
    }
    return find_loud_plainly(text, at, loud);
}
#endif

std::size_t find_loud(std::string_view text, std::size_t at, const LoudLeads& loud) {
#if defined(__x86_64__)
    static const bool avx2 = __builtin_cpu_supports("avx2");
    if (avx2)
        return find_loud_avx2(text, at, loud);
#endif
    return find_loud_plainly(text, at, loud);
}

/// The first character from `at` on that the form may change.
std::size_t find_flagged(const Data& table, std::string_view text, std::size_t at, int form) {
    std::uint8_t flag = kOfForm[form];
    for (;;) {
        at = find_loud(text, at, table.loud[form]);
        // Often more of them follow.
        while (at < text.size() && is_loud(table.loud[form], text.data()[at])) {
            int length = 0;
            if (table.flags_of(code_point(text.data() + at, length)) & flag)
                return at;
            at += static_cast<std::size_t>(length);
        }
        if (at == text.size())
            return at;
    }
}

}  // namespace

Piece normalize(const Piece& piece, NormalForm form, PieceStore& store) {
    const Data& table = data();
    int number = static_cast<int>(form);
    std::string_view text = piece.text;
    std::size_t first = find_flagged(table, text, 0, number);
    if (first == text.size())
        return piece;
    std::uint8_t flag = kOfForm[number];
    bool compatible = form == NormalForm::nfkc || form == NormalForm::nfkd;
    bool composed = form == NormalForm::nfc || form == NormalForm::nfkc;
    Rewriter out(piece);
    std::vector<Char> part;
    std::size_t done = 0;  // what lies before it has been looked at
    int length = 0;
    for (std::size_t at = first; at < text.size(); at = find_flagged(table, text, done, number)) {
        // The character before is the last that nothing before it can touch.
        std::size_t start = at;
        if (at > done) {
            code_point_before(text.data() + at, length);
            start = at - static_cast<std::size_t>(length);
        }
        // From the start before to the next: a part of its own.
        std::size_t end = at;
        while (end < text.size()) {
            if (!(table.flags_of(code_point(text.data() + end, length)) & flag))
                break;
            end += static_cast<std::size_t>(length);
        }
        part.clear();
        for (std::size_t i = start; i < end; i += static_cast<std::size_t>(length))
            decompose(table, part, code_point(text.data() + i, length), compatible);
        sort_marks(part);
        if (composed)
            compose(table, part);
        out.copy(start - out.at());
        for (const Char& one : part)
            out.put(one.c, one.change);
        if (out.at() < end)
            out.drop(end - out.at());
        done = end;
    }
    out.copy(text.size() - out.at());
    return out.finish(store);
}

}  // namespace stillroom::lm
