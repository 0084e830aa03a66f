#pragma once

#include "engine/base/api.h"
#include "plugins/lm/tokenizer/compiled.h"
#include "plugins/lm/tokenizer/table.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom::lm {

/// Of `tokenizer.json` and its like, above every published one.
inline constexpr std::size_t kMostTokens = std::size_t{2} << 20;
inline constexpr std::size_t kLongestToken = std::size_t{64} << 10;

/// Texts and their ids, both ways.
class STILLROOM_API Vocabulary {
public:
    static constexpr std::uint32_t kNone = 0xFFFFFFFF;

    Vocabulary();
    void reserve(std::size_t tokens, std::size_t bytes);

    enum class Added { yes, text_taken, id_taken };
    Added add(std::string_view text, std::uint32_t id);
    /// Many at once, which hides the time that memory takes. Returns how many were added; if not
    /// all, `why` tells what was wrong with the next.
    std::size_t add_all(std::span<const std::string_view> texts,
                        const std::uint32_t* ids,
                        Added& why);

    std::uint32_t find(std::string_view text) const;  ///< kNone: no such text
    /// Of many texts at once, which hides the time that memory takes.
    void find_all(std::span<const std::string_view> texts, std::uint32_t* ids) const;
    /// This id's is left and right together.
    bool is_joined(std::uint32_t id, std::string_view left, std::string_view right) const {
        std::optional<std::string_view> text = text_of(id);
        return text && text->size() == left.size() + right.size() && text->starts_with(left) &&
               text->ends_with(right);
    }
    /// Nothing: no such id.
    std::optional<std::string_view> text_of(std::uint32_t id) const {
        if (id >= places_.size() || places_.data()[id].size == kNone)
            return std::nullopt;
        return at(places_.data()[id]);
    }

    void write(CompiledWriter& out) const;
    /// In the place of all that was added.
    void read(CompiledReader& in);

    std::size_t count() const { return count_; }           ///< texts
    std::size_t id_end() const { return places_.size(); }  ///< the largest id + 1

private:
    struct Place {
        std::uint32_t begin = 0;
        std::uint32_t size = kNone;
    };
    /// An id, and above it bits of the hash that are never all 0.
    using Slot = std::uint32_t;
    static constexpr int kIdBits = 21;
    static constexpr Slot kFree = 0;
    static std::uint32_t id_in(Slot slot) { return slot & ((1u << kIdBits) - 1); }
    static Slot mark_of(std::uint64_t hash) {
        return static_cast<Slot>(std::max<std::uint64_t>(hash >> 53, 1)) << kIdBits;
    }

    std::string_view at(Place place) const { return {bytes_.data() + place.begin, place.size}; }
    std::size_t slot_of(std::string_view text, std::uint64_t hash) const;
    Added add(std::string_view text, std::uint32_t id, std::uint64_t hash);
    void grow(std::size_t tokens);

    Table<char> bytes_;
    Table<Place> places_;
    Table<Slot> slots_;
    std::size_t count_ = 0;
    std::uint64_t seed_ = 0;  // of the hashes
};

}  // namespace stillroom::lm
