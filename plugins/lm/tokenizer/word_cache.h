#pragma once

#include "plugins/lm/tokenizer/long_words.h"
#include "plugins/lm/tokenizer/zeroed_memory.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace stillroom::lm {

/// Entries by hash, two to a place; where both are taken the next few places help out, and then a
/// new one drives the older out. Grows by four while more come. An Entry of zeros is none; it knows
/// its own hash() and its key.
template <class Entry>
class RecentTable {
public:
    /// Where most likely it is, to be fetched ahead.
    const Entry* at(std::uint64_t hash) const {
        return shift_ == 64 ? nullptr : entries() + 2 * (hash >> shift_);
    }
    template <class Key>
    [[gnu::always_inline]] const Entry* find(const Key& key, std::uint64_t hash) const {
        const Entry* pair = at(hash);
        if (!pair)
            return nullptr;
        // Which of the two it is nobody can foretell, so that is no branch.
        const Entry* entry = pair + !pair->key.is(key);
        return entry->key.is(key) ? entry : find_further(key, hash, pair);
    }

    void insert(const Entry& entry) {
        // A fourth full: of three words that share a place one is lost again and again.
        if (count_++ >= capacity_ / 4 && capacity_ < kMost)
            grow();
        place(entry);
    }

    void clear() { *this = RecentTable(); }

private:
    static constexpr std::size_t kLeast = 1024;
    static constexpr std::size_t kPlaces = 4;
    static constexpr std::size_t kMost = std::bit_floor((std::size_t{32} << 20) / sizeof(Entry));

    Entry* entries() const { return static_cast<Entry*>(memory_.data()); }
    template <class Key>
    [[gnu::noinline]] const Entry* find_further(const Key& key,
                                                std::uint64_t hash,
                                                const Entry* pair) const {
        for (std::size_t i = 1; i < kPlaces && !pair[1].empty(); ++i) {
            pair = place(hash, i);
            for (const Entry* entry : {pair, pair + 1})
                if (entry->key == key)
                    return entry;
        }
        return nullptr;
    }
    Entry* place(std::uint64_t hash, std::size_t further) const {
        return entries() + 2 * (((hash >> shift_) + further) & (capacity_ / 2 - 1));
    }
    void place(const Entry& entry) {
        Entry* pair = place(entry.hash(), 0);
        for (std::size_t i = 1; i < kPlaces && !pair[1].empty(); ++i)
            pair = place(entry.hash(), i);
        if (!pair[1].empty())
            pair = place(entry.hash(), 0);
        pair[1] = pair[0];
        pair[0] = entry;
    }
    void grow() {
        RecentTable larger;
        larger.capacity_ = capacity_ == 0 ? kLeast : std::min(capacity_ * 4, kMost);
        larger.count_ = count_;
        larger.shift_ = 65 - std::countr_zero(larger.capacity_);
        larger.memory_ = ZeroedMemory(larger.capacity_ * sizeof(Entry));
        for (std::size_t i = 0; i < capacity_; ++i)
            if (const Entry& entry = entries()[i ^ 1]; !entry.empty())  // the older one first
                larger.place(entry);
        *this = std::move(larger);
    }

    ZeroedMemory memory_;
    std::size_t capacity_ = 0;
    std::size_t count_ = 0;
    int shift_ = 64;
};

/// A short word: its bytes, and its length in the last of 16.
struct WordKey {
    std::uint64_t low = 0;
    std::uint64_t high = 0;  ///< 0: a word too long

    explicit operator bool() const { return high != 0; }
    bool operator==(const WordKey&) const = default;
    /// The same without a branch.
    bool is(const WordKey& other) const { return ((low ^ other.low) | (high ^ other.high)) == 0; }
    std::uint64_t hash() const { return (low ^ (high << 23 | high >> 41)) * 0x9E3779B97F4A7C15; }
};

/// Which bits of two words of 8 bytes a text of so many bytes fills.
struct WordMask {
    std::uint64_t low;
    std::uint64_t high;
};
inline constexpr auto kWordMasks = [] {
    std::array<WordMask, 16> out{};
    for (std::size_t size = 1; size < 16; ++size) {
        out[size].low = size >= 8 ? ~std::uint64_t{0} : (std::uint64_t{1} << 8 * size) - 1;
        out[size].high = size <= 8 ? 0 : (std::uint64_t{1} << 8 * (size - 8)) - 1;
    }
    return out;
}();

/// The last words that came. Belongs to one thread and one tokenizer. Grows with what it meets, to
/// 80 MiB.
class WordCache {
public:
    static constexpr std::size_t kShort = 15;  ///< bytes of a word that is its own key
    static constexpr std::size_t kRoom = 16;   ///< numbers that a short word may need

    using Key = WordKey;

    /// `readable`: the end of the bytes that may be looked at, at or behind the word's.
    static Key key_of(std::string_view word, const char* readable) {
        std::size_t size = word.size();
        Key key;
        if (size > kShort || size == 0)
            return key;
        if (readable - word.data() >= 16) {
            std::memcpy(&key.low, word.data(), 8);
            std::memcpy(&key.high, word.data() + 8, 8);
        } else {
            char bytes[16] = {};
            std::memcpy(bytes, word.data(), size);
            std::memcpy(&key.low, bytes, 8);
            std::memcpy(&key.high, bytes + 8, 8);
        }
        WordMask mask = kWordMasks[size];
        key.low &= mask.low;
        key.high = (key.high & mask.high) | static_cast<std::uint64_t>(size) << 56;
        return key;
    }

    void prefetch(std::uint64_t hash) const { __builtin_prefetch(short_.at(hash)); }

    /// Writes up to kRoom numbers at `into`, of which the first are the ids, and returns how many
    /// those are; 0: not remembered.
    [[gnu::always_inline]] std::size_t find(const Key& key,
                                            std::uint64_t hash,
                                            std::uint32_t* into) const {
        const ShortWord* entry = short_.find(key, hash);
        if (!entry)
            return 0;
        std::memcpy(into, entry->ids.data(), sizeof entry->ids);
        into[0] &= (1u << kIdBits) - 1;
        std::size_t count = entry->ids[0] >> kIdBits;
        if (count > kInline)
            std::copy_n(spilled_.data() + entry->ids[kInline - 1],
                        count - (kInline - 1),
                        into + (kInline - 1));
        return count;
    }
    void remember(const Key& key, std::span<const std::uint32_t> ids) {
        if (ids.empty() || ids.size() > kShort || spilled_.size() > kMostSpilled)
            return;
        ShortWord entry{key, {}};
        std::copy_n(ids.begin(), std::min(ids.size(), kInline), entry.ids.begin());
        if (ids.size() > kInline) {
            entry.ids[kInline - 1] = static_cast<std::uint32_t>(spilled_.size());
            spilled_.insert(spilled_.end(), ids.begin() + (kInline - 1), ids.end());
        }
        entry.ids[0] |= static_cast<std::uint32_t>(ids.size()) << kIdBits;
        short_.insert(entry);
    }

    /// Of more than kShort and at most LongWords::kLongest bytes.
    LongWords long_words;

    /// The tokenizer whose words these are; kept, so that no other can take its address.
    std::shared_ptr<const void> owner;

    void forget(std::shared_ptr<const void> new_owner) {
        short_.clear();
        long_words = LongWords();
        spilled_.clear();
        owner = std::move(new_owner);
    }

private:
    static constexpr std::size_t kInline = 4;
    static constexpr std::size_t kMostSpilled = std::size_t{4} << 20;
    static constexpr std::uint32_t kIdBits = 28;  // of a first id; above them is the count

    struct ShortWord {
        Key key;
        std::array<std::uint32_t, kInline>
            ids;  // of more than these the last is a place in spilled_

        bool empty() const { return !key; }
        std::uint64_t hash() const { return key.hash(); }
    };

    RecentTable<ShortWord> short_;
    std::vector<std::uint32_t> spilled_;
};

}  // namespace stillroom::lm
