#include "plugins/lm/data/byte_stream.h"

#include "engine/base/descriptor.h"
#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "plugins/lm/data/read_ahead.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <vector>

namespace stillroom::lm {
namespace fs = std::filesystem;
namespace {

constexpr std::size_t kSkipped = std::size_t{1} << 20;

[[noreturn]] void refuse(const fs::path& file, const std::string& why) {
    throw Error({}, fmt::format("cannot read {}: {}", file.string(), why)).exit_code(kExitBadInput);
}

class FileStream final : public ByteStream {
public:
    explicit FileStream(const fs::path& file)
        : path_(file),
          // Not to wait for whoever should write into a pipe.
          file_(retried([&] { return ::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK); })) {
        struct stat status {};
        if (!file_.is_open() || ::fstat(file_.get(), &status) != 0)
            refuse(path_, std::strerror(errno));
        if (S_ISDIR(status.st_mode))
            refuse(path_, "it is a folder");
        if (!S_ISREG(status.st_mode))
            refuse(path_, "it is no regular file");
        size_ = static_cast<std::uint64_t>(status.st_size);
        ::posix_fadvise(file_.get(), 0, 0, POSIX_FADV_SEQUENTIAL);
    }

    std::size_t read(std::span<char> into) override {
        std::uint64_t at = taken_;
        std::size_t wanted = std::min<std::uint64_t>(into.size(), size_ - at);
        std::size_t done = 0;
        while (done < wanted) {
            ssize_t count = retried([&] {
                return ::pread(
                    file_.get(), into.data() + done, wanted - done, static_cast<off_t>(at + done));
            });
            if (count < 0)
                refuse(path_, std::strerror(errno));
            if (count == 0)
                refuse(
                    path_,
                    fmt::format(
                        "it was cut to {} bytes while it was read, it had {}", at + done, size_));
            done += static_cast<std::size_t>(count);
        }
        taken_ = at + done;
        return done;
    }

    void skip(std::uint64_t bytes) override { taken_ += std::min(bytes, size_ - taken_); }
    std::uint64_t taken() const override { return taken_; }

private:
    fs::path path_;
    Descriptor file_;
    std::uint64_t size_ = 0;
    std::atomic<std::uint64_t> taken_{0};
};

}  // namespace

ByteStream::~ByteStream() = default;

void ByteStream::skip(std::uint64_t bytes) {
    std::vector<char> dropped(static_cast<std::size_t>(std::min<std::uint64_t>(bytes, kSkipped)));
    while (bytes > 0) {
        std::size_t count = read({dropped.data(), std::min<std::uint64_t>(bytes, dropped.size())});
        if (count == 0)
            return;
        bytes -= count;
    }
}

std::unique_ptr<ByteStream> open_file(const fs::path& file) {
    return std::make_unique<FileStream>(file);
}

Packing packing_of(const fs::path& file) {
    fs::path ending = file.extension();
    if (ending == ".gz")
        return Packing::gzip;
    if (ending == ".zst" || ending == ".zstd")
        return Packing::zstd;
    char first[4] = {};
    std::string_view begin(first, FileStream(file).read(first));
    if (begin.starts_with("\x1f\x8b"))
        return Packing::gzip;
    return begin == "\x28\xb5\x2f\xfd" ? Packing::zstd : Packing::none;
}

std::unique_ptr<ByteStream> open_unpacked(const fs::path& file) {
    Packing packing = packing_of(file);
    std::unique_ptr<ByteStream> bytes = open_file(file);
    if (packing == Packing::none)
        return bytes;
    return read_ahead(unpack(std::move(bytes), packing, file.string()));
}

}  // namespace stillroom::lm
