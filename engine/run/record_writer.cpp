#include "engine/run/record_writer.h"

#include "engine/base/durable.h"
#include "engine/base/units.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

namespace stillroom {
namespace {

constexpr auto kProgressPause = std::chrono::milliseconds(100);

}  // namespace

RecordWriter::RecordWriter(const std::filesystem::path& file) : file_(file) {
    constexpr int kFlags = O_RDWR | O_APPEND | O_CLOEXEC | O_NOFOLLOW;
    fd_ = retried([&] { return ::open(file.c_str(), kFlags | O_CREAT | O_EXCL, 0666); });
    if (fd_ >= 0)
        return;
    if (errno == EEXIST)
        fd_ = retried([&] { return ::open(file.c_str(), kFlags); });
    if (fd_ < 0)
        refuse_write(file, errno);
    struct stat status {};
    char last = '\n';
    if (::fstat(fd_, &status) == 0 && status.st_size > 0 &&
        ::pread(fd_, &last, 1, status.st_size - 1) == 1 && last != '\n')
        append("\n");  // an earlier try was cut off within a line
}

RecordWriter::~RecordWriter() {
    if (fd_ >= 0)
        ::close(fd_);
}

void RecordWriter::append(const std::string& line) {
    if (failure_ != 0)
        refuse_write(file_, failure_);
    std::string_view rest = line;
    while (!rest.empty()) {
        ssize_t count = retried([&] { return ::write(fd_, rest.data(), rest.size()); });
        if (count < 0) {
            failure_ = errno;
            refuse_write(file_, failure_);
        }
        rest.remove_prefix(static_cast<std::size_t>(count));
    }
}

void RecordWriter::write_held() {
    if (!held_)
        return;
    std::string line = record_line(*held_);
    held_.reset();
    append(line);
}

void RecordWriter::write(const Record& record) {
    std::lock_guard lock(mutex_);
    if (record.event == "result")
        write_held();
    append(record_line(record));
}

void RecordWriter::progress(double done, std::string_view what) {
    std::lock_guard lock(mutex_);
    Record record;
    record.event = "progress";
    record.value = done;
    record.text = what;
    record.time = utc_now();
    held_ = std::move(record);
    auto now = std::chrono::steady_clock::now();
    if (now < next_progress_) {
        if (failure_ != 0)
            refuse_write(file_, failure_);
        return;
    }
    next_progress_ = now + kProgressPause;
    write_held();
}

void RecordWriter::flush() {
    std::lock_guard lock(mutex_);
    write_held();
}

}  // namespace stillroom
