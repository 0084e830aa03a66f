#include "plugins/lm/weights/score_merges.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::lm {
namespace {

// Taking a piece apart hashes each of its beginnings and ends: the square of its length. Published
// vocabularies stay below 2^26 in all.
constexpr std::uint64_t kMostWork = std::uint64_t{1} << 31;

}  // namespace

std::vector<Merge> merges_of_scores(const GgufFile& file, const GgufVocabulary& vocabulary) {
    // Control, unknown and byte tokens never come from text, unused ones must not.
    auto is_piece = [&](std::size_t id) {
        return vocabulary.types[id] == TokenType::normal ||
               vocabulary.types[id] == TokenType::user_defined;
    };
    auto piece = [&](std::string_view text) -> const std::uint32_t* {
        auto found = vocabulary.ids.find(text);
        return found == vocabulary.ids.end() || !is_piece(found->second) ? nullptr : &found->second;
    };
    std::uint64_t work = 0;
    std::vector<Merge> merges;
    for (std::uint32_t id = 0; id < vocabulary.tokens.size(); ++id) {
        std::string_view token = vocabulary.tokens[id];
        if (!is_piece(id))
            continue;
        work += std::uint64_t{token.size()} * token.size();
        if (work > kMostWork)
            file.refuse(
                fmt::format("its tokens are too long to find their merges: the limit is "
                            "{} for the sum of their squared lengths",
                            kMostWork));
        std::size_t first = merges.size();
        for (std::size_t cut = 1; cut < token.size(); ++cut) {
            if ((static_cast<unsigned char>(token[cut]) & 0xc0) == 0x80)
                continue;  // inside a character
            const std::uint32_t* left = piece(token.substr(0, cut));
            const std::uint32_t* right = left ? piece(token.substr(cut)) : nullptr;
            if (right)
                merges.push_back({*left, *right, id});
        }
        const std::vector<float>& scores = vocabulary.scores;
        std::stable_sort(merges.begin() + static_cast<std::ptrdiff_t>(first),
                         merges.end(),
                         [&](const Merge& a, const Merge& b) {
                             return std::pair(scores[a.left], scores[a.right]) >
                                    std::pair(scores[b.left], scores[b.right]);
                         });
    }
    std::stable_sort(merges.begin(), merges.end(), [&](const Merge& a, const Merge& b) {
        return vocabulary.scores[a.whole] > vocabulary.scores[b.whole];
    });
    return merges;
}

}  // namespace stillroom::lm
