#include "plugins/lm/modules/top_tokens.h"

#include <algorithm>

namespace stillroom::lm {
namespace {

bool better(const TopToken& a, const TopToken& b) {
    return a.t != b.t ? a.t > b.t : a.word < b.word;
}

}  // namespace

TopTokens::TopTokens(std::size_t lanes, std::size_t most)
    : lanes_(lanes),
      most_(most),
      least_(lanes, -std::numeric_limits<float>::infinity()),
      tokens_(lanes) {}

void TopTokens::add(const float* t, const float* s, std::size_t words, std::int64_t first_word) {
    for (std::size_t w = 0; w < words; w++, t += lanes_, s += lanes_)
        for (std::size_t lane = 0; lane < lanes_; lane++) {
            if (!(t[lane] > least_[lane]))
                continue;
            std::vector<TopToken>& tokens = tokens_[lane];
            tokens.push_back(
                {.word = first_word + static_cast<std::int64_t>(w), .t = t[lane], .s = s[lane]});
            if (tokens.size() < 2 * most_ + 64)
                continue;
            auto last = tokens.begin() + static_cast<std::ptrdiff_t>(most_ - 1);
            std::nth_element(tokens.begin(), last, tokens.end(), better);
            least_[lane] = last->t;
            tokens.resize(most_);
        }
}

std::vector<TopToken> TopTokens::row(std::size_t lane) const {
    std::vector<TopToken> tokens = tokens_[lane];
    keep_top(tokens, most_);
    return tokens;
}

void keep_top(std::vector<TopToken>& tokens, std::size_t most) {
    std::sort(tokens.begin(), tokens.end(), better);
    if (tokens.size() > most)
        tokens.resize(most);
}

}  // namespace stillroom::lm
