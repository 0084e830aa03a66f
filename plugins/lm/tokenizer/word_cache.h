#pragma once

#include "plugins/lm/tokenizer/text_hash.h"
#include "plugins/lm/tokenizer/zeroed_memory.h"

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

namespace stillroom::lm {

/// Entries by hash, two to a place of which a new one drives the older out. Grows by four while
/// more come. An Entry of zeros is none; it knows its own hash().
template <class Entry>
class RecentTable {
public:
    /// Two entries; null: nothing is there yet.
    const Entry* at(std::uint64_t hash) const {
        return shift_ == 64 ? nullptr : entries() + 2 * (hash >> shift_);
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
    static constexpr std::size_t kMost = (std::size_t{32} << 20) / sizeof(Entry);

    Entry* entries() const { return static_cast<Entry*>(memory_.data()); }
    void place(const Entry& entry) {
        Entry* pair = entries() + 2 * (entry.hash() >> shift_);
        pair[1] = pair[0];
        pair[0] = entry;
    }
    void grow() {
        RecentTable larger;
        larger.capacity_ = capacity_ == 0 ? kLeast : capacity_ * 4;
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

/// The last words that became up to four tokens. Belongs to one thread and one tokenizer. Grows
/// with what it meets, to 64 MiB.
class WordCache {
public:
    static constexpr std::size_t kShort = 15;  ///< bytes of a word that is its own key
    static constexpr std::size_t kLong = 76;   ///< of the longest that is remembered
    static constexpr std::size_t kMostTokens = 4;
    static constexpr std::size_t kMostOfLong =
        12;  ///< tokens of a long word, or one of many tokens
    static constexpr std::uint32_t kIdBits = 28;

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

    /// Writes kMostTokens numbers at `into`, of which the first are the ids, and returns how many
    /// those are; 0: not remembered.
    std::size_t find(const Key& key, std::uint64_t hash, std::uint32_t* into) const {
        const ShortWord* entry = short_.at(hash);
        if (!entry)
            return 0;
        if (entry->key != key && (++entry)->key != key)
            return 0;
        return copy(entry->ids, into);
    }
    void remember(const Key& key, std::span<const std::uint32_t> ids) {
        if (ids.size() <= kMostTokens && !ids.empty())
            short_.insert({key, packed<kMostTokens>(ids)});
    }

    /// What is asked of words of at most kLong bytes: long ones, and short ones of more than
    /// kMostTokens. Of a part of a word the tokens may be others than of the same by itself.
    static std::uint64_t hash_of_long(std::string_view word, bool part) {
        return hash_text(word, kSeed + part);
    }
    void prefetch_long(std::uint64_t hash) const {
        if (const LongWord* pair = long_.at(hash)) {
            __builtin_prefetch(pair);
            __builtin_prefetch(reinterpret_cast<const char*>(pair) + 64);
        }
    }
    /// Writes kMostOfLong numbers at `into`.
    std::size_t find(std::string_view word,
                     bool part,
                     std::uint64_t hash,
                     std::uint32_t* into) const {
        const LongWord* entry = long_.at(hash);
        for (int i = 0; entry && i < 2; ++i, ++entry)
            if (entry->text() == word && entry->part == part)
                return copy(entry->ids, into);
        return 0;
    }
    void remember(std::string_view word, bool part, std::span<const std::uint32_t> ids) {
        if (ids.size() > kMostOfLong || ids.empty())
            return;
        LongWord entry{static_cast<std::uint16_t>(word.size()), part, {}, packed<kMostOfLong>(ids)};
        std::memcpy(entry.bytes, word.data(), word.size());
        long_.insert(entry);
    }

    /// The tokenizer whose words these are; kept, so that no other can take its address.
    std::shared_ptr<const void> owner;

    void forget(std::shared_ptr<const void> new_owner) {
        short_.clear();
        long_.clear();
        owner = std::move(new_owner);
    }

private:
    // Of the first id the highest bits are the count.
    static constexpr std::uint64_t kSeed = 0x8CB92BA72F3D8DD7;

    struct ShortWord {
        Key key;
        std::array<std::uint32_t, kMostTokens> ids;

        bool empty() const { return !key; }
        std::uint64_t hash() const { return key.hash(); }
    };
    struct LongWord {
        std::uint16_t size;
        std::uint16_t part;
        char bytes[kLong];
        std::array<std::uint32_t, kMostOfLong> ids;

        bool empty() const { return size == 0; }
        std::string_view text() const { return {bytes, size}; }
        std::uint64_t hash() const { return hash_of_long(text(), part != 0); }
    };

    template <std::size_t most>
    static std::size_t copy(const std::array<std::uint32_t, most>& ids, std::uint32_t* into) {
        std::memcpy(into, ids.data(), sizeof ids);
        into[0] &= (1u << kIdBits) - 1;
        return ids[0] >> kIdBits;
    }
    template <std::size_t most>
    static std::array<std::uint32_t, most> packed(std::span<const std::uint32_t> ids) {
        std::array<std::uint32_t, most> out{};
        std::copy(ids.begin(), ids.end(), out.begin());
        out[0] |= static_cast<std::uint32_t>(ids.size()) << kIdBits;
        return out;
    }

    RecentTable<ShortWord> short_;
    RecentTable<LongWord> long_;
};

}  // namespace stillroom::lm
