#pragma once

#include "plugins/lm/tokenizer/large_text.h"

#include <cstddef>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace stillroom::lm {

// What a large tokenizer.json becomes, as arrays in one file: read back without parsing or hashing
// a token. A file is of one format and one build, behind a checksum. Who wrote it is not trusted:
// each array is looked through before it is used, so that none of them can lead outside another.

/// Collects arrays, which stay where they are until finish().
class CompiledWriter {
public:
    template <class T>
    void add(std::span<const T> array) {
        static_assert(std::is_trivially_copyable_v<T>);
        add_bytes({reinterpret_cast<const char*>(array.data()), array.size_bytes()});
    }
    void add_number(std::uint64_t number) {
        add(std::span<const std::uint64_t>(&numbers_.emplace_back(number), 1));
    }

    /// The whole file.
    LargeText finish(std::string_view digest) const;

private:
    void add_bytes(std::string_view bytes) { arrays_.push_back(bytes); }

    std::vector<std::string_view> arrays_;
    std::deque<std::uint64_t> numbers_;
};

/// Gives them back in the same order. Whatever is not as it should be makes the answers empty and
/// `fails()` true.
class CompiledReader {
public:
    /// Nothing: no such file, or none of this program's for that content.
    static std::optional<CompiledReader> open(const std::filesystem::path& file,
                                              std::string_view digest);

    template <class T>
    std::span<const T> take() {
        static_assert(std::is_trivially_copyable_v<T>);
        std::string_view bytes = take_bytes();
        if (bytes.size() % sizeof(T) != 0)
            fail();
        return {reinterpret_cast<const T*>(bytes.data()), bytes.size() / sizeof(T)};
    }
    std::uint64_t take_number() {
        std::span<const std::uint64_t> one = take<std::uint64_t>();
        require(one.size() == 1);
        return one.empty() ? 0 : one[0];
    }
    void require(bool what) {
        if (!what)
            fail();
    }
    bool fails() const { return fails_; }
    /// Keeps what was taken.
    const std::shared_ptr<const void>& memory() const { return memory_; }

private:
    CompiledReader() = default;
    std::string_view take_bytes();
    void fail() { fails_ = true; }

    std::shared_ptr<const void> memory_;
    std::string_view left_;
    std::vector<std::uint64_t> sizes_;  // of the arrays that are left, the last first
    bool fails_ = false;
};

}  // namespace stillroom::lm
