#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

namespace stillroom::lm {

/// Words of up to 15 bytes that became up to four tokens, the last 65,536 or so: one line of memory
/// answers for two of them. Belongs to one thread and one tokenizer.
class WordCache {
public:
    static constexpr std::size_t kLongest = 15;
    static constexpr std::size_t kMostTokens = 4;

    struct Key {
        std::uint64_t low = 0;
        std::uint64_t high = 0;  ///< the length in its last byte; 0: a word too long

        explicit operator bool() const { return high >> 56 != 0; }
    };

    struct Entry {
        Key key;
        std::array<std::uint32_t, kMostTokens> ids{};  ///< the first: count << 29 | id
    };

    /// `readable`: see Model::encode_ids.
    static Key key_of(std::string_view word, const char* readable) {
        Key key;
        std::size_t size = word.size();
        if (size > kLongest || size == 0)
            return key;
        char bytes[16] = {};
        if (readable - word.data() >= 16)
            std::memcpy(bytes, word.data(), 16);
        else
            std::memcpy(bytes, word.data(), size);
        std::memcpy(&key.low, bytes, 8);
        std::memcpy(&key.high, bytes + 8, 8);
        if (size < 8) {
            key.low &= (std::uint64_t{1} << 8 * size) - 1;
            key.high = 0;
        } else {
            key.high &= (std::uint64_t{1} << 8 * (size - 8)) - 1;
        }
        key.high |= static_cast<std::uint64_t>(size) << 56;
        return key;
    }

    void prefetch(const Key& key) const {
        if (!entries_.empty())
            __builtin_prefetch(entries_.data() + place_of(key));
    }

    /// Writes kMostTokens numbers at `into`, of which the first are the ids, and adds their count;
    /// false: not remembered.
    bool find(const Key& key, std::uint32_t* into, std::size_t& count) const {
        if (entries_.empty())
            return false;
        std::size_t place = place_of(key);
        for (std::size_t i : {place, place ^ 1}) {
            const Entry& entry = entries_.data()[i];
            if (entry.key.low != key.low || entry.key.high != key.high)
                continue;
            std::memcpy(into, entry.ids.data(), sizeof entry.ids);
            into[0] &= (1u << 29) - 1;
            count += entry.ids[0] >> 29;
            return true;
        }
        return false;
    }

    void remember(const Key& key, const std::uint32_t* ids, std::size_t count) {
        if (count == 0 || count > kMostTokens)
            return;
        if (entries_.empty())
            entries_.resize(kEntries);
        std::size_t place = place_of(key);
        entries_[place ^ 1] = entries_[place];
        Entry& entry = entries_[place];
        entry = {key, {}};
        for (std::size_t i = 0; i < count; ++i)
            entry.ids[i] = ids[i];
        entry.ids[0] |= static_cast<std::uint32_t>(count) << 29;
    }

    /// The tokenizer whose words these are; kept, so that no other can take its address.
    std::shared_ptr<const void> owner;

    void forget(std::shared_ptr<const void> new_owner) {
        entries_.clear();
        owner = std::move(new_owner);
    }

private:
    static constexpr std::size_t kEntries = std::size_t{1} << 16;

    static std::size_t place_of(const Key& key) {
        std::uint64_t hash = (key.low ^ (key.high << 23 | key.high >> 41)) * 0x9E3779B97F4A7C15;
        return hash >> 48;
    }

    std::vector<Entry> entries_;
};

}  // namespace stillroom::lm
