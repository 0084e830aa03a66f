#pragma once

#include "plugins/lm/tokenizer/component.h"
#include "plugins/lm/tokenizer/piece.h"

#include <functional>
#include <memory>
#include <vector>

namespace stillroom::lm {

/// One rewriting of a piece; the piece itself where it changes nothing. Const and thread-safe.
using NormalizerStep = std::function<Piece(const Piece&, PieceStore&)>;

/// What is done to each piece of text between added tokens before it is split, in order.
class Normalizer {
public:
    /// Of a tokenizer.json; null is none. Throws Error (exit 3).
    static Normalizer read(const Json& value, const ComponentReader& reader);

    void add(NormalizerStep step) { steps_.push_back(std::move(step)); }
    bool empty() const { return steps_.empty(); }
    Piece apply(Piece piece, PieceStore& store) const;
    /// Of a short text by itself: an added token's.
    std::string apply(std::string_view text) const;

private:
    void read_into(const Json& value, const ComponentReader& reader, int depth);

    std::vector<NormalizerStep> steps_;
};

/// Steps that other readers build from too.
NormalizerStep replace_step(std::string from, std::string to);
NormalizerStep prepend_step(std::string text);

/// Bytes to their spellings, a character's bytes all belonging to it.
Piece spell_piece(const Piece& piece, PieceStore& store);

/// `text` in front, unless the piece is empty.
Piece prepend(const Piece& piece, std::string_view text, PieceStore& store);

}  // namespace stillroom::lm
