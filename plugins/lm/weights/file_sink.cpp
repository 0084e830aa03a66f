#include "plugins/lm/weights/file_sink.h"

#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "engine/plugin/output_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

namespace stillroom::lm {
namespace fs = std::filesystem;
namespace {

constexpr std::uint64_t kPiece = std::uint64_t{4} << 20;
constexpr std::uint64_t kAhead = std::uint64_t{16} << 20;  // memory holds before the disk begins

std::string_view text_of(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// Through this process, which looks at the bytes.
void write_from(FileSink& sink, const MappedFile& from, std::uint64_t offset, std::uint64_t size) {
    while (size > 0) {
        std::uint64_t count = std::min(size, kPiece);
        sink.write(from.bytes().subspan(offset, count));
        from.forget(offset, count);
        offset += count;
        size -= count;
    }
    from.check();  // else what was written may be zeros
}

class StageSink final : public FileSink {
public:
    StageSink(RunContext& context, const fs::path& path) : file_(context, path) {}

    void write(std::span<const std::byte> bytes) override { file_.write(text_of(bytes)); }

    void copy(const MappedFile& from, std::uint64_t offset, std::uint64_t size) override {
        write_from(*this, from, offset, size);
    }

    void close() override { file_.close(); }

private:
    OutputFile file_;
};

class PlainSink final : public FileSink {
public:
    PlainSink(const fs::path& path, const fs::path& told, bool waits)
        : path_(path),
          told_(told),
          file_(make_new_file(path, 0666, told)),
          waits_(waits) {}
    ~PlainSink() override {
        if (file_.is_open())
            ::unlink(path_.c_str());
    }

    void write(std::span<const std::byte> bytes) override {
        write_all(file_, text_of(bytes), told_);
        wrote(bytes.size());
    }

    void copy(const MappedFile& from, std::uint64_t offset, std::uint64_t size) override {
        auto at = static_cast<loff_t>(offset);
        while (size > 0 && by_kernel_) {
            ssize_t count = retried([&] {
                return ::copy_file_range(
                    from.descriptor(), &at, file_.get(), nullptr, std::min(size, kAhead), 0);
            });
            if (count < 0 && (errno == ENOSPC || errno == EDQUOT || errno == EFBIG))
                refuse_write(told_, errno);
            // Other file systems, an old kernel, the end of a file that was cut: the hard way
            // tells.
            by_kernel_ = count > 0;
            size -= static_cast<std::uint64_t>(std::max<ssize_t>(count, 0));
            wrote(static_cast<std::uint64_t>(std::max<ssize_t>(count, 0)));
        }
        offset = static_cast<std::uint64_t>(at);
        while (size > 0) {
            piece_.resize(std::min(size, kPiece));
            from.read(offset, piece_);
            write(piece_);
            offset += piece_.size();
            size -= piece_.size();
        }
    }

    void close() override {
        if (waits_)
            sync(file_, told_);
        else
            begin_writing();
        if (int code = file_.close()) {
            ::unlink(path_.c_str());
            refuse_write(told_, code);
        }
    }

private:
    void wrote(std::uint64_t bytes) {
        written_ += bytes;
        if (written_ - begun_ >= kAhead)
            begin_writing();
    }

    /// The disk works while the rest is made; a wish, no more.
    void begin_writing() {
        ::sync_file_range(file_.get(),
                          static_cast<off64_t>(begun_),
                          static_cast<off64_t>(written_ - begun_),
                          SYNC_FILE_RANGE_WRITE);
        begun_ = written_;
    }

    fs::path path_;
    fs::path told_;
    Descriptor file_;
    bool waits_;
    bool by_kernel_ = true;
    std::uint64_t written_ = 0, begun_ = 0;
    std::vector<std::byte> piece_;
};

}  // namespace

FileSink::~FileSink() = default;

std::unique_ptr<FileSink> stage_sink(RunContext& context, const fs::path& path) {
    return std::make_unique<StageSink>(context, path);
}

std::unique_ptr<FileSink> plain_sink(const fs::path& path, const fs::path& told, bool waits) {
    return std::make_unique<PlainSink>(path, told, waits);
}

DigestingSink::DigestingSink(const fs::path& path, const fs::path& told, bool waits)
    : sink_(plain_sink(path, told, waits)),
      digest_(path) {
    record_.path = path.filename().string();
}

void DigestingSink::write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        std::size_t count = std::min<std::size_t>(bytes.size(), kAhead);
        sink_->write(bytes.first(count));
        bytes = bytes.subspan(count);
        digest_.written(record_.size += count);
    }
}

void DigestingSink::copy(const MappedFile& from, std::uint64_t offset, std::uint64_t size) {
    while (size > 0) {
        std::uint64_t count = std::min(size, kAhead);
        sink_->copy(from, offset, count);
        offset += count;
        size -= count;
        digest_.written(record_.size += count);
    }
}

void DigestingSink::close() {
    record_.digest = digest_.hex();
    sink_->close();
}

}  // namespace stillroom::lm
