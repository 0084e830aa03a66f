#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <vector>

namespace stillroom::lm {

/// A word with both sides' logits.
struct TopToken {
    std::int64_t word = -1;
    float t = 0, s = 0;
};

/// The words of the largest t in each lane; of equal ones the lowest. Words come in rising order.
class TopTokens {
public:
    TopTokens(std::size_t lanes, std::size_t most);

    /// [words, lanes] of logits.
    void add(const float* t, const float* s, std::size_t words, std::int64_t first_word);

    /// Sorted, at most `most`.
    std::vector<TopToken> row(std::size_t lane) const;

private:
    std::size_t lanes_, most_;
    std::vector<float> least_;  // what a word must exceed
    std::vector<std::vector<TopToken>> tokens_;
};

/// Sorts and keeps the best.
void keep_top(std::vector<TopToken>& tokens, std::size_t most);

}  // namespace stillroom::lm
