#pragma once

#include "plugins/lm/tokenizer/piece.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom::lm {

/// SentencePiece's compiled rewriting rules: a double-array tree of what is rewritten, and the
/// texts that take its place. A damaged one finds less, never more than its bytes.
class Charsmap {
public:
    /// Nothing: this is none.
    static std::optional<Charsmap> read(std::string_view bytes);

    struct Found {
        std::size_t bytes = 0;  ///< of the text that are rewritten; 0: none
        std::string_view to;
    };
    /// The shortest or the longest beginning of the text that has a rule.
    Found find(std::string_view text, bool longest) const;

    /// As tokenizer.json's Precompiled does it: a grapheme under 6 bytes by the rule of its
    /// shortest beginning, else character by character.
    Piece apply(const Piece& piece, PieceStore& store) const;

private:
    std::vector<std::uint32_t> tree_;
    std::string texts_;  // each ends with a NUL
};

}  // namespace stillroom::lm
