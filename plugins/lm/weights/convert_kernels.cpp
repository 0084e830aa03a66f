#include "plugins/lm/weights/convert_kernels.h"

#include "plugins/lm/weights/float_codes.h"
#include "plugins/lm/weights/processor.h"

#include <bit>
#include <cstdint>
#include <cstring>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace stillroom::lm {
namespace {

constexpr std::uint32_t kInfinity = 0x7f800000;

std::uint32_t magnitude_of(float value) {
    return std::bit_cast<std::uint32_t>(value) & 0x7fffffffu;
}

template <auto Decode>
void decode_plain(const std::byte* from, float* to, std::size_t count) {
    for (std::size_t i = 0; i < count; ++i) {
        std::uint16_t bits = 0;
        std::memcpy(&bits, from + 2 * i, sizeof bits);
        to[i] = Decode(bits);
    }
}

template <auto Encode, std::uint16_t Infinity>
NumberCounts encode_plain(const float* from, std::byte* to, std::size_t count) {
    NumberCounts counts;
    for (std::size_t i = 0; i < count; ++i) {
        std::uint16_t bits = Encode(from[i]);
        std::uint32_t magnitude = magnitude_of(from[i]);
        counts.nan += magnitude > kInfinity;
        counts.infinite += magnitude == kInfinity;
        counts.overflow += magnitude < kInfinity && (bits & 0x7fff) == Infinity;
        std::memcpy(to + 2 * i, &bits, sizeof bits);
    }
    return counts;
}

NumberCounts count_plain(const float* values, std::size_t count) {
    NumberCounts counts;
    for (std::size_t i = 0; i < count; ++i) {
        counts.nan += magnitude_of(values[i]) > kInfinity;
        counts.infinite += magnitude_of(values[i]) == kInfinity;
    }
    return counts;
}

constexpr auto kToBf16 = encode_plain<bf16_of, 0x7f80>;
constexpr auto kToF16 = encode_plain<f16_of, 0x7c00>;

#if defined(__x86_64__)

// Sixteen bits at a time in vectors of eight. A vector with a number that is to be counted goes to
// the plain loop, which knows what becomes of it.

#define STILLROOM_AVX2 [[gnu::target("avx2,f16c")]]

STILLROOM_AVX2 void from_bf16_avx2(const std::byte* from, float* to, std::size_t count) {
    std::size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + 2 * i));
        __m256i bits = _mm256_slli_epi32(_mm256_cvtepu16_epi32(half), 16);
        _mm256_storeu_ps(to + i, _mm256_castsi256_ps(bits));
    }
    decode_plain<float_of_bf16>(from + 2 * i, to + i, count - i);
}

STILLROOM_AVX2 void from_f16_avx2(const std::byte* from, float* to, std::size_t count) {
    std::size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        __m128i half = _mm_loadu_si128(reinterpret_cast<const __m128i*>(from + 2 * i));
        _mm256_storeu_ps(to + i, _mm256_cvtph_ps(half));
    }
    decode_plain<float_of_f16>(from + 2 * i, to + i, count - i);
}

/// True if one of eight halves has all bits of its exponent set.
STILLROOM_AVX2 inline bool any_special(__m128i halves, short exponent) {
    __m128i mask = _mm_set1_epi16(exponent);
    return _mm_movemask_epi8(_mm_cmpeq_epi16(_mm_and_si128(halves, mask), mask)) != 0;
}

STILLROOM_AVX2 NumberCounts to_bf16_avx2(const float* from, std::byte* to, std::size_t count) {
    NumberCounts counts;
    std::size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + i));
        __m256i odd = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
        __m256i sum = _mm256_add_epi32(_mm256_add_epi32(bits, _mm256_set1_epi32(0x7fff)), odd);
        sum = _mm256_srli_epi32(sum, 16);
        __m128i halves =
            _mm_packus_epi32(_mm256_castsi256_si128(sum), _mm256_extracti128_si256(sum, 1));
        // A NaN may have become anything by the sum, so the source is looked at too.
        __m256i mask = _mm256_set1_epi32(0x7f800000);
        __m256i special = _mm256_cmpeq_epi32(_mm256_and_si256(bits, mask), mask);
        if (any_special(halves, 0x7f80) || _mm256_movemask_epi8(special) != 0)
            counts += kToBf16(from + i, to + 2 * i, 8);
        else
            _mm_storeu_si128(reinterpret_cast<__m128i*>(to + 2 * i), halves);
    }
    return counts += kToBf16(from + i, to + 2 * i, count - i);
}

STILLROOM_AVX2 NumberCounts to_f16_avx2(const float* from, std::byte* to, std::size_t count) {
    NumberCounts counts;
    std::size_t i = 0;
    for (; i + 8 <= count; i += 8) {
        __m128i halves = _mm256_cvtps_ph(_mm256_loadu_ps(from + i),
                                         _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
        if (any_special(halves, 0x7c00))
            counts += kToF16(from + i, to + 2 * i, 8);
        else
            _mm_storeu_si128(reinterpret_cast<__m128i*>(to + 2 * i), halves);
    }
    return counts += kToF16(from + i, to + 2 * i, count - i);
}

STILLROOM_AVX2 NumberCounts count_avx2(const float* values, std::size_t count) {
    NumberCounts counts;
    std::size_t i = 0;
    __m256i mask = _mm256_set1_epi32(0x7f800000);
    for (; i + 8 <= count; i += 8) {
        __m256i bits = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(values + i));
        __m256i special = _mm256_cmpeq_epi32(_mm256_and_si256(bits, mask), mask);
        if (_mm256_movemask_epi8(special) != 0)
            counts += count_plain(values + i, 8);
    }
    return counts += count_plain(values + i, count - i);
}

constexpr ConvertKernels kAvx2Kernels = {
    from_bf16_avx2, from_f16_avx2, to_bf16_avx2, to_f16_avx2, count_avx2};

#endif

}  // namespace

const ConvertKernels kPlainKernels = {
    decode_plain<float_of_bf16>, decode_plain<float_of_f16>, kToBf16, kToF16, count_plain};

const ConvertKernels& fast_kernels() {
#if defined(__x86_64__)
    if (has_avx2_and_f16c())
        return kAvx2Kernels;
#endif
    return kPlainKernels;
}

}  // namespace stillroom::lm
