#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

namespace stillroom::lm {

inline std::uint64_t mix_hash(std::uint64_t a, std::uint64_t b) {
    __extension__ using Wide = unsigned __int128;
    Wide product = static_cast<Wide>(a) * b;
    return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

/// Drawn once a process: who makes a file cannot know which of its keys will meet.
std::uint64_t hash_seed();

inline std::uint64_t hash_text(std::string_view text, std::uint64_t seed) {
    constexpr std::uint64_t kOdd = 0x9E3779B97F4A7C15;
    std::uint64_t hash = seed ^ text.size() * kOdd;
    const char* at = text.data();
    std::size_t left = text.size();
    std::uint64_t word = 0;
    for (; left >= 8; at += 8, left -= 8) {
        std::memcpy(&word, at, 8);
        hash = mix_hash(hash ^ word, kOdd);
    }
    if (left >= 4) {  // two loads that may overlap
        std::uint32_t low = 0, high = 0;
        std::memcpy(&low, at, 4);
        std::memcpy(&high, at + left - 4, 4);
        word = static_cast<std::uint64_t>(high) << 32 | low;
    } else {
        word = 0;
        for (std::size_t i = 0; i < left; ++i)
            word = word << 8 | static_cast<unsigned char>(at[i]);
    }
    return mix_hash(hash ^ word, kOdd ^ seed);
}

}  // namespace stillroom::lm
