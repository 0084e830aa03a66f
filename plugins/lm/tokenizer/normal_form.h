#pragma once

#include "plugins/lm/tokenizer/piece.h"

namespace stillroom::lm {

enum class NormalForm : std::uint8_t { nfc, nfd, nfkc, nfkd };

/// The piece in a normal form of Unicode 9: a code point that is younger decomposes into nothing,
/// composes with nothing and starts anew. The piece itself where nothing changes, which one look at
/// each character tells.
Piece normalize(const Piece& piece, NormalForm form, PieceStore& store);

}  // namespace stillroom::lm
