#pragma once

#include "plugins/lm/weights/gguf_vocabulary.h"

#include <cstdint>
#include <vector>

namespace stillroom::lm {

/// Two tokens that become one.
struct Merge {
    std::uint32_t left, right, whole;
};

/// SentencePiece joins the neighbours whose whole has the highest score; a list of merges tried in
/// order does the same if it holds every way to make each piece, higher scores first. Throws Error
/// (exit 3) for a vocabulary whose pieces are too long to be taken apart.
std::vector<Merge> merges_of_scores(const GgufFile& file, const GgufVocabulary& vocabulary);

}  // namespace stillroom::lm
