// Plain code, and the same rounds by the processor's own instructions where it has them (x86 since
// about 2017): those are eight times faster, and the hash of a file of megabytes costs as much as
// reading it. libcrypto has them too, but takes three milliseconds to open, and hashes one text at
// a time.

#include "engine/base/sha256.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <utility>

#if defined(__x86_64__)
#include <cpuid.h>
#include <immintrin.h>
#endif

namespace stillroom {
namespace {

// The first 32 bits of the fractional parts of the cube roots of the first 64 primes.
constexpr std::array<std::uint32_t, 64> kRoots = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

using State = std::array<std::uint32_t, 8>;
constexpr std::size_t kBlock = 64;

void add_block(State& state, const unsigned char* block) {
    std::array<std::uint32_t, 64> words{};
    for (std::size_t i = 0; i < 16; ++i)
        for (std::size_t k = 0; k < 4; ++k)
            words[i] = words[i] << 8 | block[4 * i + k];
    for (std::size_t i = 16; i < 64; ++i) {
        std::uint32_t a = words[i - 15], b = words[i - 2];
        words[i] = words[i - 16] + words[i - 7] + (std::rotr(a, 7) ^ std::rotr(a, 18) ^ a >> 3) +
                   (std::rotr(b, 17) ^ std::rotr(b, 19) ^ b >> 10);
    }
    auto [a, b, c, d, e, f, g, h] = state;
    for (std::size_t i = 0; i < 64; ++i) {
        std::uint32_t one = h + (std::rotr(e, 6) ^ std::rotr(e, 11) ^ std::rotr(e, 25)) +
                            ((e & f) ^ (~e & g)) + kRoots[i] + words[i];
        std::uint32_t two =
            (std::rotr(a, 2) ^ std::rotr(a, 13) ^ std::rotr(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
        h = g, g = f, f = e, e = d + one;
        d = c, c = b, b = a, a = one + two;
    }
    State sum = {a, b, c, d, e, f, g, h};
    for (std::size_t i = 0; i < 8; ++i)
        state[i] += sum[i];
}

void add_plainly(State& state, const unsigned char* blocks, std::size_t count) {
    for (; count > 0; --count, blocks += kBlock)
        add_block(state, blocks);
}

#if defined(__x86_64__)
#define STILLROOM_SHA __attribute__((target("sha,sse4.1")))

/// A state as the instructions want it, {a b e f} and {c d g h}.
struct Halves {
    __m128i abef, cdgh;
};

STILLROOM_SHA inline Halves halves_of(const State& state) {
    const auto* from = reinterpret_cast<const __m128i*>(state.data());
    __m128i cdab = _mm_shuffle_epi32(_mm_loadu_si128(from), 0xb1);
    __m128i efgh = _mm_shuffle_epi32(_mm_loadu_si128(from + 1), 0x1b);
    return {_mm_alignr_epi8(cdab, efgh, 8), _mm_blend_epi16(efgh, cdab, 0xf0)};
}

STILLROOM_SHA inline void store(State& state, const Halves& halves) {
    auto* to = reinterpret_cast<__m128i*>(state.data());
    __m128i feba = _mm_shuffle_epi32(halves.abef, 0x1b);
    __m128i dchg = _mm_shuffle_epi32(halves.cdgh, 0xb1);
    _mm_storeu_si128(to, _mm_blend_epi16(feba, dchg, 0xf0));
    _mm_storeu_si128(to + 1, _mm_alignr_epi8(dchg, feba, 8));
}

/// The sixteen words of a block, big-endian: the schedule, a ring.
STILLROOM_SHA inline void read_block(__m128i (&words)[4], const unsigned char* block) {
    const __m128i big_endian = _mm_set_epi64x(0x0c0d0e0f08090a0b, 0x0405060700010203);
    for (int i = 0; i < 4; ++i)
        words[i] = _mm_shuffle_epi8(_mm_loadu_si128(reinterpret_cast<const __m128i*>(block) + i),
                                    big_endian);
}

/// Step i of 16: four rounds, and the schedule's words for four steps later.
STILLROOM_SHA inline void four_rounds(Halves& halves, __m128i (&words)[4], int i) {
    __m128i& first = words[i % 4];
    const __m128i& fourth = words[(i + 3) % 4];
    const auto* roots = reinterpret_cast<const __m128i*>(kRoots.data()) + i;
    __m128i sum = _mm_add_epi32(first, _mm_loadu_si128(roots));
    halves.cdgh = _mm_sha256rnds2_epu32(halves.cdgh, halves.abef, sum);
    halves.abef = _mm_sha256rnds2_epu32(halves.abef, halves.cdgh, _mm_shuffle_epi32(sum, 0x0e));
    if (i < 12)
        first = _mm_sha256msg2_epu32(_mm_add_epi32(_mm_sha256msg1_epu32(first, words[(i + 1) % 4]),
                                                   _mm_alignr_epi8(fourth, words[(i + 2) % 4], 4)),
                                     fourth);
}

STILLROOM_SHA inline void add(Halves& to, const Halves& halves) {
    to.abef = _mm_add_epi32(to.abef, halves.abef);
    to.cdgh = _mm_add_epi32(to.cdgh, halves.cdgh);
}

STILLROOM_SHA void add_by_instructions(State& state,
                                       const unsigned char* blocks,
                                       std::size_t count) {
    Halves halves = halves_of(state);
    for (; count > 0; --count, blocks += kBlock) {
        const Halves before = halves;
        __m128i words[4];
        read_block(words, blocks);
#pragma GCC unroll 16
        for (int i = 0; i < 16; ++i)
            four_rounds(halves, words, i);
        add(halves, before);
    }
    store(state, halves);
}

/// Two at a time: a round takes as long as it takes to have its result, and another fits in there.
STILLROOM_SHA void add_two_by_instructions(State& one,
                                           const unsigned char* blocks,
                                           State& other,
                                           const unsigned char* other_blocks,
                                           std::size_t count) {
    Halves a = halves_of(one), b = halves_of(other);
    for (; count > 0; --count, blocks += kBlock, other_blocks += kBlock) {
        const Halves a_before = a, b_before = b;
        __m128i a_words[4], b_words[4];
        read_block(a_words, blocks);
        read_block(b_words, other_blocks);
#pragma GCC unroll 16
        for (int i = 0; i < 16; ++i) {
            four_rounds(a, a_words, i);
            four_rounds(b, b_words, i);
        }
        add(a, a_before);
        add(b, b_before);
    }
    store(one, a);
    store(other, b);
}

bool has_instructions() {
    constexpr unsigned kSse41 = 1u << 19, kSha = 1u << 29;
    unsigned a = 0, b = 0, c = 0, d = 0;
    return __get_cpuid(1, &a, &b, &c, &d) && (c & kSse41) != 0 &&
           __get_cpuid_count(7, 0, &a, &b, &c, &d) && (b & kSha) != 0;
}

#endif

using Rounds = void (*)(State&, const unsigned char*, std::size_t);

Rounds fastest_rounds() {
#if defined(__x86_64__)
    static const bool by_instructions = has_instructions();
    if (by_instructions)
        return add_by_instructions;
#endif
    return add_plainly;
}

}  // namespace

// The fractional parts of the square roots of the first 8 primes.
PlainSha256::PlainSha256(Sha256Code code)
    : rounds_(code == Sha256Code::portable ? add_plainly : fastest_rounds()),
      state_{0x6a09e667,
             0xbb67ae85,
             0x3c6ef372,
             0xa54ff53a,
             0x510e527f,
             0x9b05688c,
             0x1f83d9ab,
             0x5be0cd19} {}

void PlainSha256::add(std::string_view bytes) {
    std::size_t filled = count_ % block_.size();
    count_ += bytes.size();
    while (!bytes.empty()) {
        if (filled == 0 && bytes.size() >= block_.size()) {
            std::size_t whole = bytes.size() / kBlock;
            rounds_(state_, reinterpret_cast<const unsigned char*>(bytes.data()), whole);
            bytes.remove_prefix(whole * kBlock);
            continue;
        }
        std::size_t most = std::min(bytes.size(), block_.size() - filled);
        std::memcpy(block_.data() + filled, bytes.data(), most);
        bytes.remove_prefix(most);
        filled += most;
        if (filled == block_.size()) {
            rounds_(state_, block_.data(), 1);
            filled = 0;
        }
    }
}

void PlainSha256::add_both(PlainSha256& one,
                           std::string_view bytes,
                           PlainSha256& other,
                           std::string_view other_bytes) {
#if defined(__x86_64__)
    std::size_t whole = std::min(bytes.size(), other_bytes.size()) / kBlock;
    if (one.is_fast() && other.is_fast() && one.count_ % kBlock == 0 &&
        other.count_ % kBlock == 0) {
        add_two_by_instructions(one.state_,
                                reinterpret_cast<const unsigned char*>(bytes.data()),
                                other.state_,
                                reinterpret_cast<const unsigned char*>(other_bytes.data()),
                                whole);
        for (auto [hash, rest] : {std::pair{&one, &bytes}, std::pair{&other, &other_bytes}}) {
            hash->count_ += whole * kBlock;
            rest->remove_prefix(whole * kBlock);
        }
    }
#endif
    one.add(bytes);
    other.add(other_bytes);
}

bool PlainSha256::is_fast() const {
    return rounds_ != add_plainly;
}

PlainSha256::Hash PlainSha256::take() {
    std::uint64_t bits = count_ * 8;
    std::string end(1, static_cast<char>(0x80));
    end.append((119 - count_ % 64) % 64, '\0');
    for (int shift = 56; shift >= 0; shift -= 8)
        end.push_back(static_cast<char>(bits >> shift));
    add(end);
    Hash hash{};
    for (std::size_t i = 0; i < hash.size(); ++i)
        hash[i] = static_cast<unsigned char>(state_[i / 4] >> (24 - 8 * (i % 4)));
    state_ = PlainSha256().state_;
    count_ = 0;
    return hash;
}

std::string sha256_hex(std::string_view bytes) {
    PlainSha256 hasher;
    hasher.add(bytes);
    std::string out;
    for (unsigned char byte : hasher.take()) {
        out.push_back("0123456789abcdef"[byte >> 4]);
        out.push_back("0123456789abcdef"[byte & 15]);
    }
    return out;
}

}  // namespace stillroom
