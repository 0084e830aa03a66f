#include "plugins/lm/weights/mapped_file.h"

#include "engine/base/error.h"
#include "plugins/lm/weights/bus_guard.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <utility>

namespace stillroom::lm {
namespace fs = std::filesystem;
namespace {

[[noreturn]] void refuse_map(const fs::path& path, std::string_view why) {
    throw Error({}, fmt::format("cannot read {}: {}", path.string(), why)).exit_code(kExitBadInput);
}

}  // namespace

MappedFile MappedFile::open(const fs::path& path) {
    MappedFile mapped;
    mapped.path_ = path;
    // O_NONBLOCK: opening a pipe that nobody writes must not hang.
    mapped.file_ = Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (!mapped.file_.is_open())
        refuse_map(path, errno == ENOENT ? "no such file" : std::strerror(errno));
    struct stat status {};
    if (::fstat(mapped.file_.get(), &status) != 0)
        refuse_map(path, std::strerror(errno));
    if (S_ISDIR(status.st_mode))
        refuse_map(path, "it is a folder");
    if (S_ISFIFO(status.st_mode))
        refuse_map(path, "it is a pipe");
    if (!S_ISREG(status.st_mode))
        refuse_map(path, "it is no regular file");
    mapped.size_ = static_cast<std::uint64_t>(status.st_size);
    if (mapped.size_ == 0)
        return mapped;
    void* data = ::mmap(nullptr, mapped.size_, PROT_READ, MAP_PRIVATE, mapped.file_.get(), 0);
    if (data == MAP_FAILED)
        refuse_map(path, std::strerror(errno));
    mapped.data_ = static_cast<const std::byte*>(data);
    mapped.guard_ = guard_mapping(data, mapped.size_);
    if (mapped.guard_ < 0)
        refuse_map(path, fmt::format("{} mapped files are open already", kMostGuarded));
    return mapped;
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      file_(std::move(other.file_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      guard_(std::exchange(other.guard_, -1)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(file_, other.file_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(guard_, other.guard_);
    return *this;
}

MappedFile::~MappedFile() {
    release_mapping(guard_);
    if (data_)
        ::munmap(const_cast<std::byte*>(data_), size_);
}

void MappedFile::refuse_cut() const {
    struct stat status {};
    ::fstat(file_.get(), &status);
    refuse_map(path_,
               fmt::format("it was cut from {} to {} bytes while it was read",
                           size_,
                           static_cast<std::uint64_t>(status.st_size)));
}

void MappedFile::read(std::uint64_t offset, std::span<std::byte> into) const {
    while (!into.empty()) {
        ssize_t count = ::pread(file_.get(), into.data(), into.size(), static_cast<off_t>(offset));
        if (count < 0 && errno == EINTR)
            continue;
        if (count < 0)
            refuse_map(path_, std::strerror(errno));
        if (count == 0)
            refuse_cut();
        offset += static_cast<std::uint64_t>(count);
        into = into.subspan(static_cast<std::size_t>(count));
    }
}

void MappedFile::check() const {
    struct stat status {};
    if (::fstat(file_.get(), &status) != 0)
        refuse_map(path_, std::strerror(errno));
    if (was_torn(guard_) || static_cast<std::uint64_t>(status.st_size) < size_)
        refuse_cut();
}

void MappedFile::forget(std::uint64_t offset, std::uint64_t size) const {
    // Outwards: at a fault the system maps its neighbours too, which nobody else would give back:
    // 64 KiB, and of a file that lies in memory in larger pieces (Linux 6.18) the whole piece.
    const std::uint64_t around = std::uint64_t{2} << 20;
    std::uint64_t begin = offset / around * around;
    std::uint64_t end = std::min((offset + size + around - 1) / around * around, size_);
    if (begin < end)  // advice: whether it is taken matters to nobody
        ::madvise(const_cast<std::byte*>(data_) + begin, end - begin, MADV_DONTNEED);
}

}  // namespace stillroom::lm
