#include "plugins/lm/tokenizer/large_text.h"

#include "engine/base/descriptor.h"
#include "engine/base/text.h"
#include "plugins/lm/tokenizer/beside.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

namespace stillroom::lm {

bool read_between(int file, char* text, std::size_t begin, std::size_t end) {
    while (begin < end) {
        ssize_t count = ::pread(file, text + begin, end - begin, static_cast<off_t>(begin));
        if (count == 0 || (count < 0 && errno != EINTR))
            return false;
        begin += count > 0 ? static_cast<std::size_t>(count) : 0;
    }
    return true;
}

namespace {

bool continues(char byte) {
    return (byte & 0xC0) == 0x80;
}

/// Where the last character begins that may not be whole by `end`; `end`: it is.
std::size_t whole_until(const char* text, std::size_t from, std::size_t end) {
    for (std::size_t back = 1; back <= 3 && back <= end - from; ++back) {
        auto byte = static_cast<unsigned char>(text[end - back]);
        if (byte < 0x80)
            break;
        if (byte >= 0xC0) {
            std::size_t length = byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
            return length > back ? end - back : end;
        }
    }
    return end;
}

/// A part of a file on its way into memory, looked through while it is near.
struct Part {
    std::size_t begin, end;
    std::size_t whole_begin = 0, whole_end = 0;  ///< of the characters that are whole in it
    bool is_read = false;
    bool is_utf8 = true;

    void read(int file, char* text) {
        constexpr std::size_t kAtOnce = 256 << 10;
        for (std::size_t at = begin; at < end; at += kAtOnce) {
            std::size_t until = std::min(end, at + kAtOnce);
            if (!read_between(file, text, at, until))
                return;
            if (at == begin) {
                whole_begin = begin;
                while (begin > 0 && whole_begin < until && continues(text[whole_begin]))
                    ++whole_begin;
                whole_end = whole_begin;
            }
            std::size_t whole = whole_until(text, whole_end, until);
            is_utf8 = is_utf8 && !find_invalid_utf8({text + whole_end, whole - whole_end});
            whole_end = whole;
        }
        is_read = true;
    }
};

}  // namespace

std::optional<LargeText> LargeText::read(const std::filesystem::path& path, std::size_t limit) {
    Descriptor file(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    struct stat status {};
    if (!file.is_open() || ::fstat(file.get(), &status) != 0 || !S_ISREG(status.st_mode))
        return std::nullopt;
    auto size = static_cast<std::size_t>(status.st_size);
    if (size < 2 || size > limit)
        return std::nullopt;
    LargeText out(size);
    char* text = out.data();
    Part first{0, size / 2}, second{size / 2, size};
    Beside<void> other = beside([&] { second.read(file.get(), text); });
    first.read(file.get(), text);
    other.get();
    char more = 0;
    if (!first.is_read || !second.is_read || ::pread(file.get(), &more, 1, status.st_size) != 0)
        return std::nullopt;
    auto between = [&](std::size_t begin, std::size_t end) {
        return !find_invalid_utf8({text + begin, end - begin});
    };
    out.is_utf8_ = first.is_utf8 && second.is_utf8 &&
                   between(first.whole_end, second.whole_begin) && between(second.whole_end, size);
    return out;
}

}  // namespace stillroom::lm
