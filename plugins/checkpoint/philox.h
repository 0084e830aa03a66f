#pragma once

#include <array>
#include <cstdint>

namespace stillroom::checkpoint {

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

}  // namespace stillroom::checkpoint
