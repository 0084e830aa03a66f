#pragma once

#include <unistd.h>

#include <cerrno>
#include <utility>

namespace stillroom {

/// An open file, closed by its owner.
class Descriptor {
public:
    explicit Descriptor(int fd = -1) : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        std::swap(fd_, other.fd_);
        return *this;
    }
    ~Descriptor() { close(); }

    int get() const { return fd_; }
    bool is_open() const { return fd_ >= 0; }

    /// What it failed with, or 0. A close that was interrupted has closed.
    int close() {
        if (fd_ < 0 || ::close(std::exchange(fd_, -1)) == 0 || errno == EINTR)
            return 0;
        return errno;
    }

private:
    int fd_;
};

}  // namespace stillroom
