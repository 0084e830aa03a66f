#pragma once

#include "plugins/lm/tokenizer/zeroed_memory.h"

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string_view>

namespace stillroom::lm {

/// A text of many megabytes in large pages, with no zeros written where the text comes. Moved, it
/// stays where it is.
class LargeText {
public:
    LargeText() = default;
    explicit LargeText(std::size_t size) : memory_(size), size_(size) {}

    /// The whole of a regular file of at most `limit` bytes that does not grow meanwhile, by two
    /// threads. Nothing: it cannot be read so, and read_file() says why.
    static std::optional<LargeText> read(const std::filesystem::path& file, std::size_t limit);

    /// Of what was read.
    bool is_utf8() const { return is_utf8_; }
    char* data() { return static_cast<char*>(memory_.data()); }
    std::size_t size() const { return size_; }
    std::string_view view() const { return {static_cast<const char*>(memory_.data()), size_}; }

private:
    ZeroedMemory memory_;
    std::size_t size_ = 0;
    bool is_utf8_ = false;
};

/// Reads the bytes of a file from `begin` to `end` to where they stand in `text`; false: there are
/// fewer, or they cannot be read.
bool read_between(int file, char* text, std::size_t begin, std::size_t end);

}  // namespace stillroom::lm
