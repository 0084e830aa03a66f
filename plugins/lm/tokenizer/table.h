#pragma once

#include "plugins/lm/tokenizer/zeroed_memory.h"

#include <cstddef>
#include <span>
#include <utility>

namespace stillroom::lm {

/// An array that is built once and then only read: memory of its own, or a part of what somebody
/// else keeps.
template <class T>
class Table {
public:
    Table() = default;
    Table(Table&& other) noexcept { *this = std::move(other); }
    Table& operator=(Table&& other) noexcept {
        own_ = std::move(other.own_);  // which stays where it was
        seen_ = std::exchange(other.seen_, {});
        return *this;
    }

    const T* data() const { return seen_.data(); }
    std::size_t size() const { return seen_.size(); }
    bool empty() const { return seen_.empty(); }
    const T& operator[](std::size_t at) const { return seen_[at]; }
    std::span<const T> all() const { return seen_; }

    /// Calls change(vector) with its own memory.
    template <class Change>
    void change(Change change) {
        change(own_);
        seen_ = own_;
    }
    void see(std::span<const T> there) {
        own_ = {};
        seen_ = there;
    }

private:
    LargeVector<T> own_;
    std::span<const T> seen_;
};

}  // namespace stillroom::lm
