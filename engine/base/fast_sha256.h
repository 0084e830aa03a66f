#pragma once

#include "engine/base/sha256.h"

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

struct evp_md_ctx_st;  // libcrypto's EVP_MD_CTX

namespace stillroom {

/// As many bytes as our own code hashes while libcrypto is being opened.
inline constexpr std::size_t kMuchToHash = std::size_t{1} << 20;

/// SHA-256 of much: by the processor's own instructions, by libcrypto where it has none, and by our
/// own plain code where there is no libcrypto.
class FastSha256 {
public:
    /// `bytes` are to be expected in all; the code is chosen by that.
    explicit FastSha256(std::uint64_t bytes);
    FastSha256(const FastSha256&) = delete;
    FastSha256& operator=(const FastSha256&) = delete;
    ~FastSha256();

    void add(std::string_view bytes);
    PlainSha256::Hash take();  ///< of all since the last

    /// Side by side where that is faster.
    static void add_both(FastSha256& one,
                         std::string_view bytes,
                         FastSha256& other,
                         std::string_view more);

private:
    void reset();

    evp_md_ctx_st* state_ = nullptr;
    PlainSha256 plain_;
};

std::string hex(const PlainSha256::Hash& hash);

/// One after the other: what a digest of chunks (digest.h) is the hash of.
inline std::string_view bytes_of(const std::vector<PlainSha256::Hash>& hashes) {
    return {reinterpret_cast<const char*>(hashes.data()),
            hashes.size() * sizeof(PlainSha256::Hash)};
}

}  // namespace stillroom
