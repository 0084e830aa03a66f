// Eight values at a time. A block becomes 32 small integers, then one product and one sum each, as
// quantized_plain.cpp has it for a single value; no fused multiply-add, which would round once
// where the plain twin rounds twice. Sixteen results that hold something too large, infinite or NaN
// are written one by one, so that they are counted.

#include "plugins/lm/weights/quantized_parts.h"

#if defined(__x86_64__)

#include <immintrin.h>

#include <array>

#define STILLROOM_AVX2 __attribute__((target("avx2,f16c")))

namespace stillroom::lm {
namespace {

/// Where results go, and the least magnitude, as bits of a float, that is bad there.
struct Results {
    Dtype dtype;
    std::byte* out;
    std::int32_t least_bad;
    NumberCounts counts;
};

Results results_as(Dtype dtype, std::byte* out) {
    std::int32_t least = dtype == Dtype::f32    ? 0x7f800000
                         : dtype == Dtype::bf16 ? 0x7f7f8000   // what rounds to 2^128
                                                : 0x477ff000;  // what rounds to 2^16
    return {dtype, out, least, {}};
}

STILLROOM_AVX2 inline __m256i load32(const std::uint8_t* at) {
    return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(at));
}
STILLROOM_AVX2 inline __m128i load16(const std::uint8_t* at) {
    return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
}
STILLROOM_AVX2 inline float half(const std::uint8_t* at) {
    std::uint16_t bits;
    std::memcpy(&bits, at, sizeof bits);
    return _cvtsh_ss(bits);
}

STILLROOM_AVX2 inline __m256i rounded_to_bf16(__m256 values) {
    __m256i bits = _mm256_castps_si256(values);
    __m256i last = _mm256_and_si256(_mm256_srli_epi32(bits, 16), _mm256_set1_epi32(1));
    __m256i sum = _mm256_add_epi32(bits, _mm256_add_epi32(last, _mm256_set1_epi32(0x7fff)));
    return _mm256_srli_epi32(sum, 16);
}

void put_each(Results& results, const float* values, int count) {
    for (int i = 0; i < count; ++i)
        results.out = put_value(values[i], results.dtype, results.out, results.counts);
}

STILLROOM_AVX2 inline void put16(Results& results, __m256 first, __m256 second) {
    __m256i positive = _mm256_set1_epi32(0x7fffffff);
    __m256i limit = _mm256_set1_epi32(results.least_bad - 1);
    __m256i bad = _mm256_or_si256(
        _mm256_cmpgt_epi32(_mm256_and_si256(_mm256_castps_si256(first), positive), limit),
        _mm256_cmpgt_epi32(_mm256_and_si256(_mm256_castps_si256(second), positive), limit));
    if (__builtin_expect(!_mm256_testz_si256(bad, bad), 0)) {
        std::array<float, 16> values;
        _mm256_storeu_ps(values.data(), first);
        _mm256_storeu_ps(values.data() + 8, second);
        put_each(results, values.data(), 16);
        return;
    }
    auto* out = results.out;
    if (results.dtype == Dtype::f32) {
        _mm256_storeu_ps(reinterpret_cast<float*>(out), first);
        _mm256_storeu_ps(reinterpret_cast<float*>(out) + 8, second);
        results.out = out + 64;
        return;
    }
    auto* vectors = reinterpret_cast<__m128i*>(out);
    if (results.dtype == Dtype::bf16) {
        __m256i packed = _mm256_permute4x64_epi64(
            _mm256_packus_epi32(rounded_to_bf16(first), rounded_to_bf16(second)), 0xd8);
        _mm256_storeu_si256(reinterpret_cast<__m256i*>(out), packed);
    } else {
        _mm_storeu_si128(vectors, _mm256_cvtps_ph(first, _MM_FROUND_TO_NEAREST_INT));
        _mm_storeu_si128(vectors + 1, _mm256_cvtps_ph(second, _MM_FROUND_TO_NEAREST_INT));
    }
    results.out = out + 32;
}

STILLROOM_AVX2 inline __m256 scaled(__m128i codes, __m256 scale, __m256 offset) {
    __m256 values = _mm256_cvtepi32_ps(_mm256_cvtepi8_epi32(codes));
    return _mm256_add_ps(_mm256_mul_ps(values, scale), offset);
}

STILLROOM_AVX2 inline void put16_codes(Results& results, __m128i codes, float scale, float offset) {
    __m256 by = _mm256_set1_ps(scale), plus = _mm256_set1_ps(offset);
    put16(results, scaled(codes, by, plus), scaled(_mm_srli_si128(codes, 8), by, plus));
}

// Where nothing is added: x + -0 is x for every x, 0 and -0 included.
constexpr float kNothing = -0.0f;

STILLROOM_AVX2 inline void put32_codes(Results& results, __m256i codes, float scale, float offset) {
    put16_codes(results, _mm256_castsi256_si128(codes), scale, offset);
    put16_codes(results, _mm256_extracti128_si256(codes, 1), scale, offset);
}

/// The low nibbles of 16 bytes, then the high ones.
STILLROOM_AVX2 inline __m256i nibbles(const std::uint8_t* at) {
    __m128i bytes = load16(at);
    __m256i both = _mm256_set_m128i(_mm_srli_epi16(bytes, 4), bytes);
    return _mm256_and_si256(both, _mm256_set1_epi8(15));
}

/// 32 bits as 32 bytes, 0 or 16.
STILLROOM_AVX2 inline __m256i fifth_bits(const std::uint8_t* at) {
    std::int32_t bits;
    std::memcpy(&bits, at, sizeof bits);
    __m256i spread = _mm256_shuffle_epi8(
        _mm256_set1_epi32(bits),
        _mm256_setr_epi64x(0, 0x0101010101010101, 0x0202020202020202, 0x0303030303030303));
    __m256i mask = _mm256_set1_epi64x(static_cast<long long>(0x8040201008040201));
    __m256i set = _mm256_cmpeq_epi8(_mm256_and_si256(spread, mask), mask);
    return _mm256_and_si256(set, _mm256_set1_epi8(16));
}

STILLROOM_AVX2 inline __m256i less(__m256i codes, char amount) {
    return _mm256_sub_epi8(codes, _mm256_set1_epi8(amount));
}

STILLROOM_AVX2 void put_q4_k(Results& results, const std::uint8_t* block) {
    float scale = half(block), minimum = half(block + 2);
    for (std::uint32_t group = 0; group < 8; ++group) {
        KScale by = k_scale(block + 4, group);
        __m256i bytes = load32(block + 16 + group / 2 * 32);
        if (group % 2)
            bytes = _mm256_srli_epi16(bytes, 4);
        put32_codes(results,
                    _mm256_and_si256(bytes, _mm256_set1_epi8(15)),
                    scale * static_cast<float>(by.scale),
                    -(minimum * static_cast<float>(by.minimum)));
    }
}

STILLROOM_AVX2 void put_q6_k(Results& results, const std::uint8_t* block) {
    float scale = half(block + 208);
    auto scale_of = [&](std::uint32_t sixteenth) {
        return scale * static_cast<float>(static_cast<std::int8_t>(block[192 + sixteenth]));
    };
    for (std::uint32_t group = 0; group < 8; ++group) {
        std::uint32_t upper = group / 4, quarter = group % 4;
        __m256i low = load32(block + upper * 64 + quarter % 2 * 32);
        if (quarter / 2)
            low = _mm256_srli_epi16(low, 4);
        __m256i high = _mm256_srl_epi16(load32(block + 128 + upper * 32),
                                        _mm_cvtsi32_si128(static_cast<int>(2 * quarter)));
        high = _mm256_slli_epi16(_mm256_and_si256(high, _mm256_set1_epi8(3)), 4);
        __m256i codes =
            less(_mm256_or_si256(_mm256_and_si256(low, _mm256_set1_epi8(15)), high), 32);
        put16_codes(results, _mm256_castsi256_si128(codes), scale_of(group * 2), kNothing);
        put16_codes(results, _mm256_extracti128_si256(codes, 1), scale_of(group * 2 + 1), kNothing);
    }
}

STILLROOM_AVX2 void put_block(std::uint32_t type, Results& results, const std::uint8_t* block) {
    switch (type) {
        case kGgufQ4_0:
            return put32_codes(results, less(nibbles(block + 2), 8), half(block), kNothing);
        case kGgufQ4_1:
            return put32_codes(results, nibbles(block + 4), half(block), half(block + 2));
        case kGgufQ5_0:
            return put32_codes(results,
                               less(_mm256_or_si256(nibbles(block + 6), fifth_bits(block + 2)), 16),
                               half(block),
                               kNothing);
        case kGgufQ5_1:
            return put32_codes(results,
                               _mm256_or_si256(nibbles(block + 8), fifth_bits(block + 4)),
                               half(block),
                               half(block + 2));
        case kGgufQ8_0:
            return put32_codes(results, load32(block + 2), half(block), kNothing);
        case kGgufQ4_K:
            return put_q4_k(results, block);
        case kGgufQ6_K:
            return put_q6_k(results, block);
        default:
            return;
    }
}

}  // namespace

STILLROOM_AVX2 NumberCounts dequantize_avx2(const BlockType& type,
                                            std::span<const std::byte> from,
                                            Dtype dtype,
                                            std::span<std::byte> to) {
    Results results = results_as(dtype, to.data());
    const auto* at = reinterpret_cast<const std::uint8_t*>(from.data());
    for (std::size_t left = from.size() / type.bytes; left > 0; --left, at += type.bytes)
        put_block(type.id, results, at);
    return results.counts;
}

}  // namespace stillroom::lm

#endif
