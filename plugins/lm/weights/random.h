#pragma once

#include <array>
#include <cstdint>

namespace stillroom::lm {

/// Philox 4x32 with 10 rounds (Salmon and others, 2011): four random words that are a function of a
/// counter and a key. So a number depends on its place alone, not on how many were drawn before.
inline std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter,
                                           std::array<std::uint32_t, 2> key) {
    auto multiply = [](std::uint32_t a, std::uint32_t b) { return std::uint64_t{a} * b; };
    for (int round = 0; round < 10; ++round) {
        const std::uint64_t one = multiply(0xD2511F53, counter[0]);
        const std::uint64_t two = multiply(0xCD9E8D57, counter[2]);
        counter = {static_cast<std::uint32_t>(two >> 32) ^ counter[1] ^ key[0],
                   static_cast<std::uint32_t>(two),
                   static_cast<std::uint32_t>(one >> 32) ^ counter[3] ^ key[1],
                   static_cast<std::uint32_t>(one)};
        key[0] += 0x9E3779B9;
        key[1] += 0xBB67AE85;
    }
    return counter;
}

/// A sequence of numbers by their place: the same on every machine, with any number of threads and
/// any version of LibTorch.
class CountedRandom {
public:
    explicit CountedRandom(std::uint64_t seed, std::uint64_t stream = 0)
        : key_{low(seed), high(seed)},
          stream_(stream) {}

    std::uint64_t bits(std::uint64_t place) const {
        auto words = philox({low(place), high(place), low(stream_), high(stream_)}, key_);
        return std::uint64_t{words[1]} << 32 | words[0];
    }

    /// In [0, 1), of 53 bits.
    double uniform(std::uint64_t place) const {
        return static_cast<double>(bits(place) >> 11) * 0x1p-53;
    }

private:
    static constexpr std::uint32_t low(std::uint64_t x) { return static_cast<std::uint32_t>(x); }
    static constexpr std::uint32_t high(std::uint64_t x) { return low(x >> 32); }

    std::array<std::uint32_t, 2> key_;
    std::uint64_t stream_;
};

}  // namespace stillroom::lm
