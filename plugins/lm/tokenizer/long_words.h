#pragma once

#include "plugins/lm/tokenizer/text_hash.h"
#include "plugins/lm/tokenizer/zeroed_memory.h"

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

namespace stillroom::lm {

/// Words with their ids, one behind the other in the order in which they came: most likely they
/// come again in that order, and then their memory is near. A table of 8 bytes a word finds them.
/// When there is no more room all are forgotten.
class LongWords {
public:
    static constexpr std::size_t kLongest = 248;  ///< bytes of a word
    static constexpr std::size_t kMostIds = 124;

    /// Of a part of a word the tokens may be others than of the same by itself.
    static std::uint64_t hash_of(std::string_view word, bool part) {
        return hash_text(word, kSeed + part);
    }

    /// First of many, then prefetch_word of them, and then find.
    void prefetch(std::uint64_t hash) const {
        if (capacity_ > 0)
            __builtin_prefetch(&slots()[hash >> shift_]);
    }
    void prefetch_word(std::uint64_t hash) const {
        if (capacity_ == 0)
            return;
        const char* place = words() + place_in(slots()[hash >> shift_]);
        __builtin_prefetch(place);
        __builtin_prefetch(place + 64);
    }

    /// Nothing: it is not remembered. What is found stays until the next remember(); three numbers
    /// behind it may be read too.
    std::span<const std::uint32_t> find(std::string_view word,
                                        bool part,
                                        std::uint64_t hash) const {
        if (capacity_ == 0)
            return {};
        for (std::size_t i = hash >> shift_;; i = (i + 1) & (capacity_ - 1)) {
            std::uint64_t slot = slots()[i];
            if (slot == 0)
                return {};
            if (slot >> 32 != (hash & kMark))
                continue;
            const char* place = words() + place_in(slot);
            Front front;
            std::memcpy(&front, place, sizeof front);
            if (front.size == word.size() && front.part == part &&
                std::memcmp(place + sizeof front, word.data(), word.size()) == 0)
                return {reinterpret_cast<const std::uint32_t*>(place + ids_at(word.size())),
                        front.count};
        }
    }

    /// What find() has not found.
    void remember(std::string_view word,
                  bool part,
                  std::uint64_t hash,
                  std::span<const std::uint32_t> ids) {
        if (ids.empty() || ids.size() > kMostIds || word.size() > kLongest)
            return;
        std::size_t front = ids_at(word.size()), size = (front + ids.size_bytes() + 7) / 8 * 8;
        if (used_ + size > kWords || count_ == kMostWords)
            *this = LongWords();
        if ((count_ + 1) * 2 > capacity_)
            grow();
        char* place = words() + used_;
        Front what{
            static_cast<std::uint16_t>(word.size()), static_cast<std::uint8_t>(ids.size()), part};
        std::memcpy(place, &what, sizeof what);
        std::memcpy(place + sizeof what, word.data(), word.size());
        std::memcpy(place + front, ids.data(), ids.size_bytes());
        place_slot(hash, used_);
        used_ += size;
        ++count_;
    }

private:
    struct Front {
        std::uint16_t size;
        std::uint8_t count;
        bool part;
    };
    static constexpr std::size_t kWords = std::size_t{24} << 20;
    static constexpr std::size_t kMostWords = std::size_t{512} << 10;
    static constexpr std::uint64_t kMark = 0xFFFFFFFF;  // of a hash: stands above a place
    static constexpr std::uint64_t kSeed = 0x8CB92BA72F3D8DD7;

    static std::size_t ids_at(std::size_t word) { return (sizeof(Front) + word + 3) / 4 * 4; }
    static std::size_t place_in(std::uint64_t slot) { return (slot & kMark) * 8; }
    std::uint64_t* slots() const { return static_cast<std::uint64_t*>(slots_.data()); }
    char* words() const { return static_cast<char*>(words_.data()); }

    void place_slot(std::uint64_t hash, std::size_t place) {
        std::size_t i = hash >> shift_;
        while (slots()[i] != 0)
            i = (i + 1) & (capacity_ - 1);
        slots()[i] = hash << 32 | place / 8;
    }
    void grow() {
        constexpr std::size_t kLeast = 1024;
        if (capacity_ == 0)
            words_ = ZeroedMemory(kWords + 64);  // read behind the last
        capacity_ = capacity_ == 0 ? kLeast : capacity_ * 4;
        shift_ = 64 - std::countr_zero(capacity_);
        slots_ = ZeroedMemory(capacity_ * 8);
        for (std::size_t place = 8; place < used_;) {
            Front front;
            std::memcpy(&front, words() + place, sizeof front);
            std::string_view word(words() + place + sizeof front, front.size);
            place_slot(hash_of(word, front.part), place);
            place += (ids_at(front.size) + front.count * std::size_t{4} + 7) / 8 * 8;
        }
    }

    ZeroedMemory slots_;
    ZeroedMemory words_;
    std::size_t capacity_ = 0;  // of slots
    std::size_t count_ = 0;
    std::size_t used_ = 8;  // bytes of words_; the place 0 is none
    int shift_ = 63;
};

}  // namespace stillroom::lm
