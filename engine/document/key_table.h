#pragma once

#include "engine/document/node.h"

#include <cstdint>
#include <functional>
#include <string_view>
#include <vector>

namespace stillroom {

/// Tells whether a key stands in a growing list of entries already. Small lists are searched, large
/// ones hashed, so that reading stays linear.
class KeyTable {
public:
    static constexpr std::size_t kNone = static_cast<std::size_t>(-1);

    /// The index of the entry with this key, or kNone.
    std::size_t find(const std::vector<Entry>& entries, std::string_view key) {
        if (entries.size() <= kSmall) {
            for (std::size_t i = 0; i < entries.size(); ++i)
                if (entries[i].key == key)
                    return i;
            return kNone;
        }
        grow(entries);
        for (std::size_t slot = hash(key);; ++slot) {
            std::uint32_t stored = slots_[slot & (slots_.size() - 1)];
            if (stored == 0)
                return kNone;
            if (entries[stored - 1].key == key)
                return stored - 1;
        }
    }

private:
    static constexpr std::size_t kSmall = 16;

    static std::size_t hash(std::string_view key) { return std::hash<std::string_view>{}(key); }

    /// Takes in the entries that came since the last search.
    void grow(const std::vector<Entry>& entries) {
        if (entries.size() * 2 > slots_.size()) {
            slots_.assign(std::max<std::size_t>(64, slots_.size() * 4), 0);
            seen_ = 0;
            if (entries.size() * 2 > slots_.size())
                return grow(entries);
        }
        for (; seen_ < entries.size(); ++seen_) {
            std::size_t slot = hash(entries[seen_].key);
            while (slots_[slot & (slots_.size() - 1)] != 0)
                ++slot;
            slots_[slot & (slots_.size() - 1)] = static_cast<std::uint32_t>(seen_ + 1);
        }
    }

    std::vector<std::uint32_t> slots_;  // index + 1; 0 is free; the size is a power of two
    std::size_t seen_ = 0;
};

}  // namespace stillroom
