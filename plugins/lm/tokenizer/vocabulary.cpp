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

void Vocabulary::reserve(std::size_t tokens, std::size_t bytes) {
    bytes_.reserve(bytes);
    places_.reserve(tokens);
    std::size_t slots = std::bit_ceil(tokens * 2 + 16);
    if (slots > slots_.size() && count_ == 0)
        slots_.assign(slots, {});
}

std::size_t Vocabulary::slot_of(std::string_view text, std::uint32_t hash) const {
    std::size_t mask = slots_.size() - 1;
    for (std::size_t i = hash & mask;; i = (i + 1) & mask) {
        const Slot& slot = slots_[i];
        if (slot.id == kNone || (slot.hash == hash && at(places_[slot.id]) == text))
            return i;
    }
}

void Vocabulary::grow() {
    std::vector<Slot> old = std::move(slots_);
    slots_.assign(std::bit_ceil(std::max<std::size_t>(64, (count_ + 1) * 4)), {});
    std::size_t mask = slots_.size() - 1;
    for (const Slot& slot : old) {
        if (slot.id == kNone)
            continue;
        std::size_t i = slot.hash & mask;
        while (slots_[i].id != kNone)
            i = (i + 1) & mask;
        slots_[i] = slot;
    }
}

Vocabulary::Added Vocabulary::add(std::string_view text, std::uint32_t id) {
    if ((count_ + 1) * 2 > slots_.size())
        grow();
    auto hash = static_cast<std::uint32_t>(hash_text(text, hash_seed()));
    Slot& slot = slots_[slot_of(text, hash)];
    if (slot.id != kNone)
        return Added::text_taken;
    if (id >= places_.size())
        places_.resize(id + 1);
    else if (places_[id].size != kNone)
        return Added::id_taken;
    places_[id] = {static_cast<std::uint32_t>(bytes_.size()),
                   static_cast<std::uint32_t>(text.size())};
    bytes_ += text;
    slot = {hash, id};
    ++count_;
    return Added::yes;
}

std::uint32_t Vocabulary::find(std::string_view text) const {
    if (slots_.empty())
        return kNone;
    return slots_[slot_of(text, static_cast<std::uint32_t>(hash_text(text, hash_seed())))].id;
}

void Vocabulary::find_all(std::span<const std::string_view> texts, std::uint32_t* ids) const {
    constexpr std::size_t kAtOnce = 96;
    std::uint32_t hashes[kAtOnce];
    std::size_t mask = slots_.size() - 1;
    for (; !texts.empty(); texts = texts.subspan(std::min(kAtOnce, texts.size()))) {
        std::size_t count = std::min(kAtOnce, texts.size());
        for (std::size_t i = 0; i < count; ++i) {
            hashes[i] = static_cast<std::uint32_t>(hash_text(texts[i], hash_seed()));
            if (!slots_.empty())
                __builtin_prefetch(&slots_[hashes[i] & mask]);
        }
        for (std::size_t i = 0; i < count && !slots_.empty(); ++i)
            if (std::uint32_t id = slots_[hashes[i] & mask].id; id != kNone)
                __builtin_prefetch(&places_[id]);
        for (std::size_t i = 0; i < count && !slots_.empty(); ++i)
            if (std::uint32_t id = slots_[hashes[i] & mask].id; id != kNone)
                __builtin_prefetch(bytes_.data() + places_[id].begin);
        for (std::size_t i = 0; i < count; ++i)
            *ids++ = slots_.empty() ? kNone : slots_[slot_of(texts[i], hashes[i])].id;
    }
}

std::optional<std::string_view> Vocabulary::text_of(std::uint32_t id) const {
    if (id >= places_.size() || places_[id].size == kNone)
        return std::nullopt;
    return at(places_[id]);
}

}  // namespace stillroom::lm
