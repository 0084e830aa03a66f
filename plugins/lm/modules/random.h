#pragma once

#include <cstdint>

namespace stillroom::lm {

/// Random numbers by their place, not by how many were drawn before: the same on every machine,
/// with any number of threads and any version of LibTorch. Two rounds of splitmix64 over (seed,
/// stream, place).
class CountedRandom {
public:
    explicit CountedRandom(std::uint64_t seed, std::uint64_t stream = 0)
        : key_(mixed(mixed(seed) ^ stream)) {}

    std::uint64_t bits(std::uint64_t place) const { return mixed(key_ ^ mixed(place)); }

    /// In [0, 1), of 53 bits.
    double uniform(std::uint64_t place) const {
        return static_cast<double>(bits(place) >> 11) * 0x1p-53;
    }

private:
    static std::uint64_t mixed(std::uint64_t x) {
        x += 0x9E3779B97F4A7C15;
        x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
        x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
        return x ^ (x >> 31);
    }

    std::uint64_t key_;
};

}  // namespace stillroom::lm
