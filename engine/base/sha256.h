#pragma once

#include "engine/base/api.h"

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

namespace stillroom {

/// SHA-256 (FIPS 180-4) of the bytes as 64 lower-case hex digits. For keys and ids of a few
/// kilobytes: plain code that needs no library. Files are hashed by digest.h.
STILLROOM_API std::string sha256_hex(std::string_view bytes);

/// The processor's own instructions where it has them, or plain code: for tests.
enum class Sha256Code { fastest, portable };

/// The same of bytes that come in pieces.
class STILLROOM_API PlainSha256 {
public:
    using Hash = std::array<unsigned char, 32>;

    explicit PlainSha256(Sha256Code code = Sha256Code::fastest);
    void add(std::string_view bytes);
    Hash take();  ///< of all since it was made, or since the last take()

    /// What two calls of add() do, in 0.6 of their time where the processor has instructions for
    /// it: each waits for itself alone, so two go side by side.
    static void add_both(PlainSha256& one,
                         std::string_view bytes,
                         PlainSha256& other,
                         std::string_view other_bytes);

    /// By the processor's own instructions.
    bool is_fast() const;

private:
    using State = std::array<std::uint32_t, 8>;

    void (*rounds_)(State&, const unsigned char*, std::size_t);  ///< adds whole blocks
    State state_;
    std::array<unsigned char, 64> block_{};
    std::uint64_t count_ = 0;
};

}  // namespace stillroom
