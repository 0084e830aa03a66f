#pragma once

#include "engine/base/api.h"

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom {

/// A file's digest is the SHA-256 over the SHA-256s (32 bytes each) of its chunks, so that they can
/// be hashed in parallel. An empty file has no chunk.
inline constexpr std::size_t kDigestChunk = std::size_t{8} << 20;

/// What tells without reading that a file is still the one that was hashed.
struct FileStamp {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    std::uint64_t size = 0;
    std::int64_t modified_ns = 0;
    std::int64_t changed_ns = 0;

    bool operator==(const FileStamp&) const = default;
};

/// Throws Error (exit 3) if the path is no regular file that can be looked at.
STILLROOM_API FileStamp stamp_of(const std::filesystem::path& file);

struct FileRecord {
    std::string path;  ///< relative to its folder, with '/'; absolute where there is no folder
    std::uint64_t size = 0;
    std::string digest;  ///< 64 hex digits
    FileStamp stamp;
};

/// Throws Error (exit 3) naming what cannot be read.
STILLROOM_API FileRecord digest_file(const std::filesystem::path& file, unsigned threads);

/// Every regular file below, sorted by path; links are followed to files (a Hub snapshot is a
/// folder of links), never to folders above. Anything else in there is refused.
STILLROOM_API std::vector<FileRecord> digest_folder(const std::filesystem::path& folder,
                                                    unsigned threads);

/// The identity of a folder: of names and contents only, whatever their times and their place.
STILLROOM_API std::string content_digest(const std::vector<FileRecord>& files);

}  // namespace stillroom
