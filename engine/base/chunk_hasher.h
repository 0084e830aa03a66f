#pragma once

#include "engine/base/fast_sha256.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace stillroom {

/// Throw Error: exit 3, exit 9.
[[noreturn]] void refuse_to_hash(const std::filesystem::path& file, std::string_view why);
[[noreturn]] void refuse_change(const std::filesystem::path& file);

/// A file that is open, as far as it is to be hashed.
struct HashedFile {
    int descriptor = -1;
    std::uint64_t size = 0;
    const std::filesystem::path& path;  ///< for messages
};

/// The bytes of a chunk (digest.h), piece by piece.
class ChunkReader {
public:
    void start(const HashedFile& file, std::uint64_t chunk);

    /// Nothing once all were read. What was given before is gone.
    std::string_view next();

private:
    const HashedFile* file_ = nullptr;
    std::uint64_t at_ = 0, end_ = 0;
    std::string buffer_;
};

/// What a thread hashes chunks with: one, or two side by side.
class ChunkHasher {
public:
    using Hash = PlainSha256::Hash;

    /// `bytes` are to be expected in all.
    explicit ChunkHasher(std::uint64_t bytes) : one_(bytes), two_(bytes) {}

    /// Of the chunk and the next, if there is one; hashes[0] and hashes[1].
    void pair(const HashedFile& file, std::uint64_t chunk, Hash* hashes);

private:
    FastSha256 one_, two_;
    ChunkReader reader_, second_;
};

}  // namespace stillroom
