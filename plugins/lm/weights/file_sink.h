#pragma once

#include "engine/base/trailing_digest.h"
#include "plugins/lm/weights/mapped_file.h"

#include <filesystem>
#include <memory>
#include <span>

namespace stillroom {
class RunContext;
}

namespace stillroom::lm {

/// A file that is written from front to back. Not closed, it is removed.
class FileSink {
public:
    virtual ~FileSink();

    virtual void write(std::span<const std::byte> bytes) = 0;

    /// Bytes as they lie in another file. Throws Error (exit 3) if they are gone there.
    virtual void copy(const MappedFile& from, std::uint64_t offset, std::uint64_t size) = 0;

    virtual void close() = 0;  ///< on the disk, whole
};

/// In an output of a stage: its digest is worked out meanwhile, and told to the context.
std::unique_ptr<FileSink> stage_sink(RunContext& context, const std::filesystem::path& path);

/// Anywhere else, new: 0666 less the umask, copied by the file system where it can.
/// `told` is what messages call it.
/// `waits`: closing it waits for the disk, which else only begins to write.
std::unique_ptr<FileSink> plain_sink(const std::filesystem::path& path,
                                     const std::filesystem::path& told,
                                     bool waits = true);

/// The same, with the digest of what is written (engine/base/digest.h) worked out meanwhile.
class DigestingSink final : public FileSink {
public:
    DigestingSink(const std::filesystem::path& path,
                  const std::filesystem::path& told,
                  bool waits = true);

    void write(std::span<const std::byte> bytes) override;
    void copy(const MappedFile& from, std::uint64_t offset, std::uint64_t size) override;
    void close() override;

    const FileRecord& record() const { return record_; }  ///< once it is closed

private:
    std::unique_ptr<FileSink> sink_;
    TrailingDigest digest_;
    FileRecord record_;
};

}  // namespace stillroom::lm
