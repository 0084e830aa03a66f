#pragma once

#include "engine/base/api.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>

namespace stillroom {

/// SHA-256 (FIPS 180-4) of the bytes as 64 lower-case hex digits. For keys and ids of a few
/// kilobytes: plain code that needs no library. Files are hashed by digest.h.
STILLROOM_API std::string sha256_hex(std::string_view bytes);

/// The same of bytes that come in pieces.
class STILLROOM_API PlainSha256 {
public:
    using Hash = std::array<unsigned char, 32>;

    PlainSha256();
    void add(std::string_view bytes);
    Hash take();  ///< of all since it was made, or since the last take()

private:
    std::array<std::uint32_t, 8> state_{};
    std::array<unsigned char, 64> block_{};
    std::uint64_t count_ = 0;
};

}  // namespace stillroom
