#pragma once

#include "engine/base/api.h"

#include <cstdint>
#include <filesystem>
#include <memory>
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

/// Throws Error: exit 3 naming what cannot be read, exit 9 if it changes meanwhile.
STILLROOM_API FileRecord digest_file(const std::filesystem::path& file, unsigned threads);

/// The same of a text at hand.
STILLROOM_API std::string digest_of(std::string_view bytes);

/// Several files at once: small ones beside each other, large ones by their chunks. Paths are as
/// given. Throws as digest_file does.
STILLROOM_API std::vector<FileRecord> digest_files(const std::vector<std::filesystem::path>& files,
                                                   unsigned threads);

/// Every regular file below, sorted by path. Links to files are followed (a Hub snapshot is a
/// folder of them) unless `links` is refuse; a link to a folder, and anything else in there, is
/// refused.
enum class Links { follow_to_files, refuse };
STILLROOM_API std::vector<std::string> files_below(const std::filesystem::path& folder,
                                                   Links links);

/// The digests of all that; paths are relative to the folder.
STILLROOM_API std::vector<FileRecord> digest_folder(const std::filesystem::path& folder,
                                                    unsigned threads);

/// For a writer that hashes as it writes: the digest of all bytes given, in order.
class STILLROOM_API RunningDigest {
public:
    RunningDigest();
    RunningDigest(RunningDigest&&) noexcept;
    RunningDigest& operator=(RunningDigest&&) noexcept;
    ~RunningDigest();

    void add(std::string_view bytes);
    std::string hex();  ///< ends it: nothing may be added after

private:
    struct State;
    std::unique_ptr<State> state_;
};

/// The identity of a folder: of names and contents only, whatever their times and their place.
STILLROOM_API std::string content_digest(const std::vector<FileRecord>& files);

}  // namespace stillroom
