#include "engine/base/utf8_runs.h"

#include <cstdint>

#if defined(__x86_64__)
#include <immintrin.h>
#define STILLROOM_TIERS 1
#endif

// Sixty-four bytes become a bit each in a few classes; which bytes must continue a character
// follows from the leads by shifts, and the text is sound where exactly those do. The machine's
// instructions make the classes, the rest is the same for all. find_invalid_utf8 goes on by hand
// where a block is wrong, and is what tests compare with.

namespace stillroom {
namespace {

constexpr std::size_t kBlock = 64;

#ifdef STILLROOM_TIERS

/// From one block to the next.
struct Carry {
    std::uint64_t follow = 0;  ///< which of its first bytes have to continue a character
    unsigned char last = 0;    ///< the byte before it
};

/// One bit for each byte.
struct Utf8Classes {
    std::uint64_t continues = 0;  ///< 80 to BF
    std::uint64_t two = 0;        ///< leads of at least so many bytes
    std::uint64_t three = 0;
    std::uint64_t four = 0;
    std::uint64_t never = 0;                       ///< C0, C1, F5 to FF
    std::uint64_t e0 = 0, ed = 0, f0 = 0, f4 = 0;  ///< leads behind which not every byte may stand
    std::uint64_t above_8f = 0, above_9f = 0;
};

/// false: something in the block, or at its border, is wrong.
inline bool sound(const Utf8Classes& is, std::uint64_t special, Carry& carry) {
    std::uint64_t follow = carry.follow | is.two << 1 | is.three << 2 | is.four << 3;
    std::uint64_t wrong = (follow ^ is.continues) | is.never;
    if (special != 0 || carry.last >= 0xE0) {
        auto behind = [&](std::uint64_t leads, unsigned char lead) {
            return leads << 1 | (carry.last == lead ? 1u : 0u);
        };
        wrong |= behind(is.e0, 0xE0) & ~is.above_9f;
        wrong |= behind(is.ed, 0xED) & is.above_9f;
        wrong |= behind(is.f0, 0xF0) & ~is.above_8f;
        wrong |= behind(is.f4, 0xF4) & is.above_8f;
    }
    carry.follow = is.two >> 63 | is.three >> 62 | is.four >> 61;
    return wrong == 0;
}

#define STILLROOM_AVX512 __attribute__((target("avx512f,avx512bw,avx512vl")))

STILLROOM_AVX512 inline std::uint64_t avx512_from(__m512i bytes, unsigned char first) {
    return _mm512_cmpge_epu8_mask(bytes, _mm512_set1_epi8(static_cast<char>(first)));
}

STILLROOM_AVX512 inline std::uint64_t avx512_equal(__m512i bytes, unsigned char byte) {
    return _mm512_cmpeq_epi8_mask(bytes, _mm512_set1_epi8(static_cast<char>(byte)));
}

STILLROOM_AVX512 std::size_t avx512_blocks(const char* text, std::size_t size) {
    Carry carry;
    std::size_t at = 0;
    for (; size - at >= kBlock; at += kBlock) {
        __m512i bytes = _mm512_loadu_si512(text + at);
        if (_mm512_movepi8_mask(bytes) == 0) {
            if (carry.follow != 0)
                break;
            carry.last = 0;
            continue;
        }
        Utf8Classes is;
        std::uint64_t high = _mm512_movepi8_mask(bytes), lead = avx512_from(bytes, 0xC0);
        is.continues = high & ~lead;
        is.two = lead;
        is.three = avx512_from(bytes, 0xE0);
        is.four = avx512_from(bytes, 0xF0);
        is.never = (lead & ~avx512_from(bytes, 0xC2)) | avx512_from(bytes, 0xF5);
        is.e0 = avx512_equal(bytes, 0xE0);
        is.ed = avx512_equal(bytes, 0xED);
        is.f0 = avx512_equal(bytes, 0xF0);
        is.f4 = avx512_equal(bytes, 0xF4);
        is.above_8f = avx512_from(bytes, 0x90);
        is.above_9f = avx512_from(bytes, 0xA0);
        if (!sound(is, is.e0 | is.ed | is.f0 | is.f4, carry))
            break;
        carry.last = static_cast<unsigned char>(text[at + kBlock - 1]);
    }
    return at;
}

#define STILLROOM_AVX2 __attribute__((target("avx2")))

STILLROOM_AVX2 inline std::uint64_t avx2_bits(__m256i low, __m256i high) {
    return static_cast<std::uint32_t>(_mm256_movemask_epi8(low)) |
           static_cast<std::uint64_t>(static_cast<std::uint32_t>(_mm256_movemask_epi8(high))) << 32;
}

STILLROOM_AVX2 inline std::uint64_t avx2_from(__m256i low, __m256i high, unsigned char first) {
    __m256i least = _mm256_set1_epi8(static_cast<char>(first));
    return avx2_bits(_mm256_cmpeq_epi8(_mm256_max_epu8(low, least), low),
                     _mm256_cmpeq_epi8(_mm256_max_epu8(high, least), high));
}

STILLROOM_AVX2 inline std::uint64_t avx2_equal(__m256i low, __m256i high, unsigned char byte) {
    __m256i same = _mm256_set1_epi8(static_cast<char>(byte));
    return avx2_bits(_mm256_cmpeq_epi8(low, same), _mm256_cmpeq_epi8(high, same));
}

STILLROOM_AVX2 std::size_t avx2_blocks(const char* text, std::size_t size) {
    Carry carry;
    std::size_t at = 0;
    for (; size - at >= kBlock; at += kBlock) {
        __m256i low = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text + at));
        __m256i high = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(text + at + 32));
        std::uint64_t beyond = avx2_bits(low, high);
        if (beyond == 0) {
            if (carry.follow != 0)
                break;
            carry.last = 0;
            continue;
        }
        Utf8Classes is;
        is.two = avx2_from(low, high, 0xC0);
        is.continues = beyond & ~is.two;
        is.three = avx2_from(low, high, 0xE0);
        is.four = avx2_from(low, high, 0xF0);
        is.never = (is.two & ~avx2_from(low, high, 0xC2)) | avx2_from(low, high, 0xF5);
        std::uint64_t special = is.three;
        if (special != 0 || carry.last >= 0xE0) {
            is.e0 = avx2_equal(low, high, 0xE0);
            is.ed = avx2_equal(low, high, 0xED);
            is.f0 = avx2_equal(low, high, 0xF0);
            is.f4 = avx2_equal(low, high, 0xF4);
            is.above_8f = avx2_from(low, high, 0x90);
            is.above_9f = avx2_from(low, high, 0xA0);
        }
        if (!sound(is, special, carry))
            break;
        carry.last = static_cast<unsigned char>(text[at + kBlock - 1]);
    }
    return at;
}

#endif

}  // namespace

Utf8Tier best_utf8_tier() {
#ifdef STILLROOM_TIERS
    static const Utf8Tier best = [] {
        if (__builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
            return Utf8Tier::avx512;
        return __builtin_cpu_supports("avx2") ? Utf8Tier::avx2 : Utf8Tier::plain;
    }();
    return best;
#else
    return Utf8Tier::plain;
#endif
}

std::size_t valid_utf8_blocks(const char* text, std::size_t size, [[maybe_unused]] Utf8Tier tier) {
    std::size_t at = 0;
    if (size < kBlock)
        return at;
#ifdef STILLROOM_TIERS
    if (tier != Utf8Tier::plain)
        at = tier == Utf8Tier::avx512 ? avx512_blocks(text, size) : avx2_blocks(text, size);
#endif
    // The last character may go on behind the block.
    for (int back = 0; back < 4 && at > 0; ++back) {
        auto byte = static_cast<unsigned char>(text[at - 1]);
        if (byte < 0x80)
            return at;
        --at;
        if (byte >= 0xC0)
            return at;
    }
    return at;
}

}  // namespace stillroom
