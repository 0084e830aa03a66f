#include "plugins/lm/tokenizer/word_piece.h"

#include "plugins/lm/tokenizer/unicode.h"

#include <algorithm>

namespace stillroom::lm {

WordPiece::WordPiece(const Vocabulary& vocabulary,
                     std::uint32_t unknown,
                     std::string prefix,
                     std::size_t most_characters)
    : vocabulary_(vocabulary),
      unknown_(unknown),
      prefix_(std::move(prefix)),
      most_characters_(most_characters) {
    for (std::uint32_t id = 0; id < vocabulary_.id_end(); ++id)
        if (std::optional<std::string_view> text = vocabulary_.text_of(id))
            longest_ = std::max(longest_, text->size());
}

void WordPiece::encode(std::string_view word, std::vector<Token>& out) const {
    auto characters = static_cast<std::size_t>(
        std::count_if(word.begin(), word.end(), [](char c) { return (c & 0xC0) != 0x80; }));
    std::size_t before = out.size(), begin = 0;
    std::string spelled;
    bool whole = characters <= most_characters_;
    while (whole && begin < word.size()) {
        std::size_t end = std::min(word.size(), begin + longest_);
        while (end < word.size() && end > begin && (word[end] & 0xC0) == 0x80)
            --end;
        std::uint32_t id = Vocabulary::kNone;
        while (end > begin) {
            spelled = begin > 0 ? prefix_ : "";
            spelled += word.substr(begin, end - begin);
            id = vocabulary_.find(spelled);
            if (id != Vocabulary::kNone)
                break;
            int length = 0;
            code_point_before(word.data() + end, length);
            end -= static_cast<std::size_t>(length);
        }
        whole = id != Vocabulary::kNone;
        out.push_back({id, static_cast<std::uint32_t>(begin), static_cast<std::uint32_t>(end)});
        begin = end;
    }
    if (whole)
        return;
    out.resize(before);
    out.push_back({unknown_, 0, static_cast<std::uint32_t>(word.size())});
}

}  // namespace stillroom::lm
