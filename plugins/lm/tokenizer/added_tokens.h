#pragma once

#include "plugins/lm/tokenizer/piece.h"

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom::lm {

/// A token that stands in texts by its name, not by a model.
struct AddedToken {
    std::uint32_t id = 0;
    std::string content;
    bool single_word = false;  ///< not with a letter, digit or '_' at a side
    bool left_strip = false;   ///< takes white space before it
    bool right_strip = false;  ///< takes white space behind it
    bool normalized = true;    ///< looked for in the normalised text
    bool special = false;      ///< left out by decode on request, and never read out of user data
};

/// Finds added tokens: the leftmost, of those the longest. Time is in proportion to the text, also
/// where tokens begin alike.
class AddedTokenFinder {
public:
    struct Found {
        std::size_t begin = 0;
        std::size_t end = 0;
        std::uint32_t token = 0;  ///< index
    };

    AddedTokenFinder() = default;
    /// `texts[i]` is what the token i looks like.
    AddedTokenFinder(const std::vector<AddedToken>& tokens, const std::vector<std::string>& texts);

    bool empty() const { return nodes_.empty(); }
    std::uint32_t id(const Found& found) const { return tokens_[found.token].id; }
    /// In order. `special`: those too.
    std::vector<Found> find(std::string_view text, bool special) const;

private:
    static constexpr std::uint32_t kNone = 0xFFFFFFFF;
    struct Node {
        std::uint32_t first_edge = kNone;  // of edges_
        std::uint32_t token = kNone;       // that ends here
        std::uint32_t fail = 0;            // the longest proper suffix that is a node
        std::uint32_t longest = kNone;     // token of the longest text that ends here
    };
    struct Edge {
        unsigned char byte = 0;
        std::uint32_t to = 0;
        std::uint32_t next = kNone;
    };

    std::uint32_t child(std::uint32_t node, unsigned char byte) const;
    std::uint32_t step(std::uint32_t node, unsigned char byte) const;
    std::uint32_t longest_at(std::string_view text, std::size_t at) const;
    std::vector<Found> candidates(std::string_view text) const;
    std::vector<Found> longest_from_each(std::string_view text) const;

    std::vector<AddedToken> tokens_;
    std::vector<std::size_t> sizes_;
    std::vector<Node> nodes_;  // of the texts read backwards: what ends there begins here
    std::vector<Edge> edges_;
    std::size_t next_begin(std::string_view text, std::size_t from) const;

    std::array<bool, 256> begins_{};   // first bytes
    std::array<bool, 256> seconds_{};  // second bytes; all where a text has only one
    int only_begin_ = -1;              // where all begin with the same byte
    bool all_special_ = true;
    std::array<std::uint32_t, 256> from_root_{};
    std::size_t longest_ = 0;
};

}  // namespace stillroom::lm
