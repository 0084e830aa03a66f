#include "plugins/lm/tokenizer/vocabulary.h"

#include "plugins/lm/tokenizer/text_hash.h"

#include <algorithm>
#include <bit>
#include <random>

namespace stillroom::lm {

std::uint64_t hash_seed() {
    static const std::uint64_t seed = [] {
        std::random_device device;
        return static_cast<std::uint64_t>(device()) << 32 | device();
    }();
    return seed;
}

Vocabulary::Vocabulary() : seed_(hash_seed()) {}

void Vocabulary::reserve(std::size_t tokens, std::size_t bytes) {
    static_assert(kMostTokens <= std::size_t{1} << kIdBits);
    bytes_.change([&](auto& own) { own.reserve(bytes); });
    places_.change([&](auto& own) { own.reserve(tokens); });
    std::size_t slots = std::bit_ceil(tokens * 3 / 2 + 16);
    if (slots > slots_.size() && count_ == 0)
        slots_.change([&](auto& own) { own.assign(slots, kFree); });
}

std::size_t Vocabulary::slot_of(std::string_view text, std::uint64_t hash) const {
    std::size_t mask = slots_.size() - 1;
    const Slot* slots = slots_.data();
    Slot mark = mark_of(hash);
    for (std::size_t i = hash & mask;; i = (i + 1) & mask) {
        Slot slot = slots[i];
        if (slot == kFree)
            return i;
        std::uint32_t id = id_in(slot);
        if ((slot ^ id) == mark && at(places_.data()[id]) == text)
            return i;
    }
}

/// Until so many more have room.
void Vocabulary::grow(std::size_t tokens) {
    if ((count_ + tokens) * 3 <= slots_.size() * 2)
        return;
    slots_.change([&](auto& slots) {
        slots.assign(std::bit_ceil(std::max<std::size_t>(64, (count_ + tokens) * 4)), kFree);
        std::size_t mask = slots.size() - 1;
        for (std::uint32_t id = 0; id < places_.size(); ++id) {
            if (places_[id].size == kNone)
                continue;
            std::uint64_t hash = hash_text(at(places_[id]), seed_);
            std::size_t i = hash & mask;
            while (slots[i] != kFree)
                i = (i + 1) & mask;
            slots[i] = mark_of(hash) | id;
        }
    });
}

Vocabulary::Added Vocabulary::add(std::string_view text, std::uint32_t id) {
    grow(1);
    return add(text, id, hash_text(text, seed_));
}

Vocabulary::Added Vocabulary::add(std::string_view text, std::uint32_t id, std::uint64_t hash) {
    std::size_t slot = slot_of(text, hash);
    if (slots_[slot] != kFree)
        return Added::text_taken;
    if (id < places_.size() && places_[id].size != kNone)
        return Added::id_taken;
    places_.change([&](auto& places) {
        if (id >= places.size())
            places.resize(id + 1);
        places[id] = {static_cast<std::uint32_t>(bytes_.size()),
                      static_cast<std::uint32_t>(text.size())};
    });
    bytes_.change([&](auto& bytes) { bytes.insert(bytes.end(), text.begin(), text.end()); });
    slots_.change([&](auto& slots) { slots[slot] = mark_of(hash) | id; });
    ++count_;
    return Added::yes;
}

std::size_t Vocabulary::add_all(std::span<const std::string_view> texts,
                                const std::uint32_t* ids,
                                Added& why) {
    constexpr std::size_t kAtOnce = 32;
    std::uint64_t hashes[kAtOnce];
    for (std::size_t done = 0; done < texts.size(); done += kAtOnce) {
        std::size_t count = std::min(kAtOnce, texts.size() - done);
        grow(count);
        for (std::size_t i = 0; i < count; ++i) {
            hashes[i] = hash_text(texts[done + i], seed_);
            __builtin_prefetch(&slots_.data()[hashes[i] & (slots_.size() - 1)], 1);
        }
        for (std::size_t i = 0; i < count; ++i) {
            why = add(texts[done + i], ids[done + i], hashes[i]);
            if (why != Added::yes)
                return done + i;
        }
    }
    return texts.size();
}

std::uint32_t Vocabulary::find(std::string_view text) const {
    if (slots_.empty())
        return kNone;
    Slot slot = slots_[slot_of(text, hash_text(text, seed_))];
    return slot == kFree ? kNone : id_in(slot);
}

void Vocabulary::find_all(std::span<const std::string_view> texts, std::uint32_t* ids) const {
    constexpr std::size_t kAtOnce = 64;
    std::uint64_t hashes[kAtOnce];
    if (slots_.empty()) {
        std::fill_n(ids, texts.size(), kNone);
        return;
    }
    const Slot* slots = slots_.data();
    std::size_t mask = slots_.size() - 1;
    for (; !texts.empty(); texts = texts.subspan(std::min(kAtOnce, texts.size()))) {
        std::size_t count = std::min(kAtOnce, texts.size());
        for (std::size_t i = 0; i < count; ++i) {
            hashes[i] = hash_text(texts[i], seed_);
            __builtin_prefetch(&slots[hashes[i] & mask]);
        }
        for (std::size_t i = 0; i < count; ++i)
            if (Slot slot = slots[hashes[i] & mask]; slot != kFree)
                __builtin_prefetch(&places_.data()[id_in(slot)]);
        for (std::size_t i = 0; i < count; ++i)
            if (Slot slot = slots[hashes[i] & mask]; slot != kFree)
                __builtin_prefetch(bytes_.data() + places_.data()[id_in(slot)].begin);
        for (std::size_t i = 0; i < count; ++i) {
            Slot slot = slots[slot_of(texts[i], hashes[i])];
            *ids++ = slot == kFree ? kNone : id_in(slot);
        }
    }
}

void Vocabulary::write(CompiledWriter& out) const {
    out.add(bytes_.all());
    out.add(places_.all());
    out.add(slots_.all());
    out.add_number(seed_);
}

void Vocabulary::read(CompiledReader& in) {
    bytes_.see(in.take<char>());
    places_.see(in.take<Place>());
    slots_.see(in.take<Slot>());
    seed_ = in.take_number();
    in.require(places_.size() <= kMostTokens && std::has_single_bit(slots_.size()));
    count_ = 0;
    bool inside = true;
    for (Place place : places_.all()) {
        bool is_there = place.size != kNone;
        count_ += is_there;
        inside &= !is_there || std::uint64_t{place.begin} + place.size <= bytes_.size();
    }
    // Sixteen at a time, which compilers do at once.
    std::size_t used = 0, at = 0;
    std::uint32_t largest = 0;
    constexpr std::size_t kAtOnce = 16;
    in.require(slots_.size() % kAtOnce == 0);
    for (; slots_.size() - at >= kAtOnce; at += kAtOnce) {
        std::uint32_t largest_here = 0, used_here = 0;
        for (std::size_t i = 0; i < kAtOnce; ++i) {
            Slot slot = slots_.data()[at + i];
            used_here += slot != kFree;
            largest_here = std::max(largest_here, id_in(slot));
        }
        used += used_here;
        largest = std::max(largest, largest_here);
    }
    in.require(inside && used == count_ && used < slots_.size() &&
               (used == 0 || largest < places_.size()));
}

}  // namespace stillroom::lm
