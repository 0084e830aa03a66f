#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>

namespace stillroom::lm {

/// Ids that grow at the end. A vector would write zeros over every place before the ids come.
class IdBuffer {
public:
    std::size_t size() const { return size_; }
    bool empty() const { return size_ == 0; }
    const std::uint32_t* data() const { return ids_.get(); }
    std::uint32_t& operator[](std::size_t at) { return ids_[at]; }
    std::span<const std::uint32_t> ids() const { return {ids_.get(), size_}; }

    /// Where the next ids go; so many places are there for them.
    std::uint32_t* room(std::size_t count) {
        if (capacity_ - size_ < count)
            grow(count);
        return ids_.get() + size_;
    }
    /// That many were written into the room.
    void wrote(std::size_t count) { size_ += count; }

    void push_back(std::uint32_t id) {
        *room(1) = id;
        ++size_;
    }
    void append(std::span<const std::uint32_t> ids) {
        if (!ids.empty())
            std::memcpy(room(ids.size()), ids.data(), ids.size_bytes());
        size_ += ids.size();
    }
    void erase(std::size_t from, std::size_t count) {
        std::copy(ids_.get() + from + count, ids_.get() + size_, ids_.get() + from);
        size_ -= count;
    }
    void clear() { size_ = 0; }  ///< the memory stays

private:
    void grow(std::size_t count) {
        std::size_t capacity = std::max(size_ + count, capacity_ + capacity_ / 2 + 256);
        std::unique_ptr<std::uint32_t[]> larger(new std::uint32_t[capacity]);
        std::copy(ids_.get(), ids_.get() + size_, larger.get());
        ids_ = std::move(larger);
        capacity_ = capacity;
    }

    std::unique_ptr<std::uint32_t[]> ids_;
    std::size_t size_ = 0;
    std::size_t capacity_ = 0;
};

}  // namespace stillroom::lm
