#include "plugins/lm/tokenizer/byte_classes.h"

#include <bit>
#include <cstring>

#if defined(__x86_64__)
#include <immintrin.h>
#define STILLROOM_TIERS 1
#endif

namespace stillroom::lm {
namespace {

constexpr std::size_t kLook = ByteFunctions::kMost;

void plain_classes(const char* text, std::size_t count, ByteClasses& out) {
    out = {};
    for (std::size_t i = 0; i < count; ++i) {
        auto c = static_cast<unsigned char>(text[i]);
        std::uint64_t bit = std::uint64_t{1} << i;
        out.ascii |= c < 0x80 ? bit : 0;
        out.inner |= (c & 0xC0) == 0x80 ? bit : 0;
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
    __m256i leads = _mm256_set1_epi8(static_cast<char>(0xC0));
    out.inner = avx2_bits(_mm256_cmpgt_epi8(leads, a), _mm256_cmpgt_epi8(leads, b));
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
    out.inner = _mm512_cmplt_epi8_mask(bytes, _mm512_set1_epi8(static_cast<char>(0xC0)));
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

constexpr ByteFunctions kFunctions[] = {
    {plain_classes, plain_places},
#ifdef STILLROOM_TIERS
    {avx2_classes, plain_places},
    {avx512_classes, avx512_places},
#endif
};

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

const ByteFunctions& byte_functions(WordTier tier) {
    return kFunctions[static_cast<std::size_t>(tier)];
}

}  // namespace stillroom::lm
