#pragma once

#include "engine/base/api.h"

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

    void reserve(std::size_t tokens, std::size_t bytes);

    enum class Added { yes, text_taken, id_taken };
    Added add(std::string_view text, std::uint32_t id);

    std::uint32_t find(std::string_view text) const;  ///< kNone: no such text
    /// Of many texts at once, which hides the time that memory takes.
    void find_all(std::span<const std::string_view> texts, std::uint32_t* ids) const;
    /// Nothing: no such id.
    std::optional<std::string_view> text_of(std::uint32_t id) const;

    std::size_t count() const { return count_; }           ///< texts
    std::size_t id_end() const { return places_.size(); }  ///< the largest id + 1

private:
    struct Place {
        std::uint32_t begin = 0;
        std::uint32_t size = kNone;
    };
    struct Slot {
        std::uint32_t hash = 0;
        std::uint32_t id = kNone;
    };

    std::string_view at(Place place) const { return {bytes_.data() + place.begin, place.size}; }
    std::size_t slot_of(std::string_view text, std::uint32_t hash) const;
    void grow();

    std::string bytes_;
    std::vector<Place> places_;
    std::vector<Slot> slots_;
    std::size_t count_ = 0;
};

}  // namespace stillroom::lm
