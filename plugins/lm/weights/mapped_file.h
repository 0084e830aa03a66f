#pragma once

#include "engine/base/api.h"
#include "engine/base/descriptor.h"

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>

namespace stillroom::lm {

/// A regular file, mapped for reading. Another program may cut it meanwhile: then a mapped page is
/// gone and touching it would end the process by SIGBUS. Here such a page reads as zeros, and
/// check() says what happened; so whoever reads `bytes()` calls check() before believing what was
/// read. `read()` copies instead, never touches the map, and checks by itself.
class STILLROOM_API MappedFile {
public:
    /// Throws Error (exit 3) naming the path and why: absent, a folder, a pipe, a device,
    /// unreadable.
    static MappedFile open(const std::filesystem::path& path);

    MappedFile(MappedFile&& other) noexcept;
    MappedFile& operator=(MappedFile&& other) noexcept;
    ~MappedFile();

    const std::filesystem::path& path() const { return path_; }
    std::uint64_t size() const { return size_; }
    int descriptor() const { return file_.get(); }  ///< for calls that copy between files
    std::span<const std::byte> bytes() const { return {data_, static_cast<std::size_t>(size_)}; }

    /// Fills `into` with the bytes from `offset` on. Throws Error (exit 3) if the file has become
    /// shorter than that. The range must lie inside size().
    void read(std::uint64_t offset, std::span<std::byte> into) const;

    /// Throws Error (exit 3) if the file was cut since it was opened.
    void check() const;

    /// The pages of this range are not needed now: they no longer count as this process's memory.
    /// Reading them again is fine.
    void forget(std::uint64_t offset, std::uint64_t size) const;

private:
    MappedFile() = default;
    [[noreturn]] void refuse_cut() const;

    std::filesystem::path path_;
    Descriptor file_;
    const std::byte* data_ = nullptr;
    std::uint64_t size_ = 0;
    int guard_ = -1;
};

}  // namespace stillroom::lm
