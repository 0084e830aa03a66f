#pragma once

#include "plugins/lm/tokenizer/pair_ranks.h"

#include <vector>

namespace stillroom::lm {

/// A token of a word that is being merged; size 0: merged away.
struct Symbol {
    std::uint32_t id = 0;
    std::uint32_t size = 0;  ///< bytes
};

/// Merges a word of any length, the lowest rank first and of equal ones the leftmost, in time that
/// grows little more than its length.
void merge_long(std::vector<Symbol>& symbols, const PairRanks& pairs);

}  // namespace stillroom::lm
