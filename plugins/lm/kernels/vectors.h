#pragma once

#include "engine/base/api.h"

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace stillroom::lm {

// Loops over floats in the compiler's own vector types: one body of code, a template of the vector,
// compiled for each tier of instructions. Everything is inlined into the function that is compiled
// for a tier, hence references: a vector by value would be passed differently by each.

enum class Tier : std::uint8_t { baseline, avx2, avx512 };

/// The widest that this processor has.
STILLROOM_API Tier best_tier();

using Floats4 = float __attribute__((vector_size(16)));
using Floats8 = float __attribute__((vector_size(32)));
using Floats16 = float __attribute__((vector_size(64)));

/// The integers beside a vector of floats, of 32 and of 16 bits a lane.
template <class Floats>
struct Beside;
template <>
struct Beside<Floats4> {
    using Words = std::uint32_t __attribute__((vector_size(16)));
    using Halves = std::uint16_t __attribute__((vector_size(8)));
};
template <>
struct Beside<Floats8> {
    using Words = std::uint32_t __attribute__((vector_size(32)));
    using Halves = std::uint16_t __attribute__((vector_size(16)));
};
template <>
struct Beside<Floats16> {
    using Words = std::uint32_t __attribute__((vector_size(64)));
    using Halves = std::uint16_t __attribute__((vector_size(32)));
};

template <class Floats>
inline constexpr std::size_t kLanes = sizeof(Floats) / sizeof(float);

#define STILLROOM_INLINE [[gnu::always_inline]] inline

template <class Floats>
STILLROOM_INLINE void load(Floats& to, const float* from) {
    std::memcpy(&to, from, sizeof to);
}

template <class Floats>
STILLROOM_INLINE void store(float* to, const Floats& from) {
    std::memcpy(to, &from, sizeof from);
}

/// The first `count` lanes from memory, in the others `rest`.
template <class Floats>
STILLROOM_INLINE void load_some(Floats& to, const float* from, std::size_t count, float rest) {
    to = Floats{} + rest;
    std::memcpy(&to, from, count * sizeof(float));
}

/// A bf16 number as memory has it: the upper half of a float.
struct Bf16 {
    std::uint16_t bits;
};

template <class Floats>
STILLROOM_INLINE void load(Floats& to, const Bf16* from) {
    using Words = typename Beside<Floats>::Words;
    using Halves = typename Beside<Floats>::Halves;
    Halves halves;
    std::memcpy(&halves, from, sizeof halves);
    Words words = __builtin_convertvector(halves, Words) << 16;
    std::memcpy(&to, &words, sizeof to);
}

/// Rounds to what the element type can hold, to nearest, ties to even; NaN stays one.
template <class Element, class Floats>
STILLROOM_INLINE void round_to(Floats& x) {
    if constexpr (sizeof(Element) == 2) {
        using Words = typename Beside<Floats>::Words;
        auto number = x == x;
        Words words, kept;
        std::memcpy(&words, &x, sizeof words);
        std::memcpy(&kept, &number, sizeof kept);
        Words rounded = words + 0x7fff + ((words >> 16) & 1);
        words = ((rounded & kept) | (0x7fc00000 & ~kept)) & 0xffff0000;
        std::memcpy(&x, &words, sizeof x);
    }
}

/// x has been rounded to bf16.
template <class Floats>
STILLROOM_INLINE void store(Bf16* to, const Floats& from) {
    using Words = typename Beside<Floats>::Words;
    using Halves = typename Beside<Floats>::Halves;
    Words words;
    std::memcpy(&words, &from, sizeof words);
    Halves halves = __builtin_convertvector(words >> 16, Halves);
    std::memcpy(to, &halves, sizeof halves);
}

/// The first `elements` of a vector, zeros in the other lanes: the end of a row.
template <class Floats, class Element>
STILLROOM_INLINE void load_part(Floats& to, const Element* from, std::size_t elements) {
    if (elements == kLanes<Floats>) {
        load(to, from);
        return;
    }
    Element part[kLanes<Floats>] = {};
    std::memcpy(part, from, elements * sizeof(Element));
    load(to, part);
}

/// Rounded to the element type, the first `elements` lanes.
template <class Floats, class Element>
STILLROOM_INLINE void store_part(Element* to, Floats& from, std::size_t elements) {
    round_to<Element>(from);
    if (elements == kLanes<Floats>) {
        store(to, from);
        return;
    }
    Element part[kLanes<Floats>];
    store(part, from);
    std::memcpy(to, part, elements * sizeof(Element));
}

template <class Floats>
STILLROOM_INLINE float sum_of(const Floats& x) {
    float sums[kLanes<Floats>];
    store(sums, x);
    for (std::size_t step = kLanes<Floats> / 2; step > 0; step /= 2)
        for (std::size_t i = 0; i < step; i++)
            sums[i] += sums[i + step];
    return sums[0];
}

/// e^x to two units in the last place; beyond ±87 as of ±87, but 0 for less.
template <class Floats>
STILLROOM_INLINE void exponential(Floats& x) {
    using Ints = decltype(x < x);
    constexpr float kLimit = 87;
    constexpr float kRound = 12582912;  // 1.5·2^23: adding it rounds to a whole number
    Ints tiny = x < -kLimit;
    x = x > kLimit ? Floats{} + kLimit : x;
    x = tiny ? Floats{} - kLimit : x;
    Floats shifted = x * 1.44269504F + kRound;
    Floats whole = shifted - kRound;
    Floats rest = x - whole * 0.693359375F + whole * 2.12194440e-4F;  // ln 2 in two parts
    Floats y = Floats{} + 1.98756915e-4F;
    y = y * rest + 1.39819995e-3F;
    y = y * rest + 8.33345205e-3F;
    y = y * rest + 4.16657962e-2F;
    y = y * rest + 1.66666657e-1F;
    y = y * rest + 5.00000000e-1F;
    y = y * rest * rest + rest + 1.0F;
    Ints power;
    std::memcpy(&power, &shifted, sizeof power);  // its low bits are the whole number
    power = (power + 127) << 23;
    Floats scale;
    std::memcpy(&scale, &power, sizeof scale);
    x = tiny ? Floats{} : y * scale;
}

/// e^x of x that is not positive, to two units in the last place; below -87 as of -87. NaN stays.
template <class Floats>
STILLROOM_INLINE void exponential_below(Floats& x) {
    using Ints = decltype(x < x);
    constexpr float kLimit = -87;
    constexpr float kRound = 12582912;
    x = x < kLimit ? Floats{} + kLimit : x;
    Floats shifted = x * 1.44269504F + kRound;
    Floats whole = shifted - kRound;
    Floats rest = x - whole * 0.693359375F + whole * 2.12194440e-4F;
    Floats y = Floats{} + 1.98756915e-4F;
    y = y * rest + 1.39819995e-3F;
    y = y * rest + 8.33345205e-3F;
    y = y * rest + 4.16657962e-2F;
    y = y * rest + 1.66666657e-1F;
    y = y * rest + 5.00000000e-1F;
    y = y * rest * rest + rest + 1.0F;
    // The power of two goes into y's exponent: y is in [0.7, 1.5], the result no subnormal.
    Ints power, bits;
    std::memcpy(&power, &shifted, sizeof power);
    std::memcpy(&bits, &y, sizeof bits);
    bits += power << 23;
    std::memcpy(&x, &bits, sizeof x);
}

/// ln x of a positive x that is no subnormal, to 1e-7 of itself or of 1.
template <class Floats>
STILLROOM_INLINE void logarithm(Floats& x) {
    using Ints = decltype(x < x);
    constexpr int kRootHalf = 0x3f3504f3;  // of 1/2: the mantissa ends up in [√½, √2)
    Ints bits;
    std::memcpy(&bits, &x, sizeof bits);
    Ints power = (bits - kRootHalf) >> 23;
    bits -= power << 23;
    std::memcpy(&x, &bits, sizeof x);
    Floats exponent = __builtin_convertvector(power, Floats);
    x -= 1.0F;
    Floats y = Floats{} + 7.0376836292e-2F;
    y = y * x - 1.1514610310e-1F;
    y = y * x + 1.1676998740e-1F;
    y = y * x - 1.2420140846e-1F;
    y = y * x + 1.4249322787e-1F;
    y = y * x - 1.6668057665e-1F;
    y = y * x + 2.0000714765e-1F;
    y = y * x - 2.4999993993e-1F;
    y = y * x + 3.3333331174e-1F;
    Floats square = x * x;
    y = y * x * square - exponent * 2.12194440e-4F - square * 0.5F;
    x = x + y + exponent * 0.693359375F;
}

/// Defines NAME_of(tier): the function that body<vector> is for the tier.
#if defined(__x86_64__)
#define STILLROOM_TIERS(name, parameters, body, arguments)                           \
    [[gnu::target("avx512f,avx512dq,avx512vl,fma")]] void name##_avx512 parameters { \
        body<Floats16> arguments;                                                    \
    }                                                                                \
    [[gnu::target("avx2,fma")]] void name##_avx2 parameters {                        \
        body<Floats8> arguments;                                                     \
    }                                                                                \
    void name##_baseline parameters {                                                \
        body<Floats4> arguments;                                                     \
    }                                                                                \
    constexpr auto name##_of(Tier tier) {                                            \
        return tier == Tier::avx512 ? name##_avx512                                  \
               : tier == Tier::avx2 ? name##_avx2                                    \
                                    : name##_baseline;                               \
    }
#else
#define STILLROOM_TIERS(name, parameters, body, arguments) \
    void name##_baseline parameters {                      \
        body<Floats4> arguments;                           \
    }                                                      \
    constexpr auto name##_of(Tier) {                       \
        return name##_baseline;                            \
    }
#endif

}  // namespace stillroom::lm
