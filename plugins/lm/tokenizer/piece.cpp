#include "plugins/lm/tokenizer/piece.h"

#include "engine/base/text.h"
#include "plugins/lm/tokenizer/unicode.h"

#include <algorithm>

namespace stillroom::lm {

Piece Piece::part(std::size_t begin, std::size_t end) const {
    const Bounds* moved = bounds ? bounds + begin : nullptr;
    // A character may have been put in front: what follows it came from the start as well.
    bool starts = at_start && (begin == 0 || (moved && begin < text.size() && moved->begin == 0));
    return {text.substr(begin, end - begin), moved, starts};
}

Piece PieceStore::keep(std::string text, std::vector<Bounds> bounds, bool at_start) {
    Piece out;
    out.text = texts_.emplace_back(std::move(text));
    if (!bounds.empty())
        out.bounds = bounds_.emplace_back(std::move(bounds)).data();
    out.at_start = at_start;
    return out;
}

Piece PieceStore::whole(std::string_view text, bool track) {
    Piece out{text, nullptr, true};
    if (!track || text.empty())
        return out;
    std::vector<Bounds>& bounds = bounds_.emplace_back(text.size());
    int length = 0;
    for (std::size_t at = 0; at < text.size(); at += static_cast<std::size_t>(length)) {
        code_point(text.data() + at, length);
        auto begin = static_cast<std::uint32_t>(at);
        std::fill_n(bounds.begin() + static_cast<std::ptrdiff_t>(at),
                    length,
                    Bounds{begin, begin + static_cast<std::uint32_t>(length)});
    }
    out.bounds = bounds.data();
    return out;
}

Bounds Rewriter::before() const {
    if (at_ > 0)
        return from_.bounds[at_ - 1];
    std::uint32_t start = from_.text.empty() ? 0 : from_.bounds[0].begin;
    return {start, start};
}

std::size_t Rewriter::next_length() const {
    if (at_end())
        return 0;
    int length = 0;
    code_point(from_.text.data() + at_, length);
    return static_cast<std::size_t>(length);
}

void Rewriter::append(char32_t c, Bounds bounds) {
    append_utf8(text_, c);
    if (from_.bounds)
        bounds_.resize(text_.size(), bounds);
}

void Rewriter::copy(std::size_t bytes) {
    text_ += from_.text.substr(at_, bytes);
    if (from_.bounds)
        bounds_.insert(bounds_.end(), from_.bounds + at_, from_.bounds + at_ + bytes);
    at_ += bytes;
}

void Rewriter::drop(std::size_t bytes) {
    at_ += bytes;
}

void Rewriter::insert(std::string_view text) {
    text_ += text;
    if (from_.bounds)
        bounds_.resize(text_.size(), before());
}

void Rewriter::drop_behind(std::string_view text) {
    while (text_.ends_with(text))
        text_.resize(text_.size() - text.size());
    if (from_.bounds)
        bounds_.resize(text_.size());
}

void Rewriter::replace(char32_t c) {
    put(c, 0);
}

void Rewriter::put(char32_t c, int change) {
    if (change > 0 || at_end()) {
        append(c, from_.bounds ? before() : Bounds());
        return;
    }
    append(c, from_.bounds ? from_.bounds[at_] : Bounds());
    at_ += next_length();
    for (; change < 0; ++change)
        at_ += next_length();
}

Piece Rewriter::finish(PieceStore& store) {
    bool starts = bounds_.empty() ? from_.at_start : bounds_[0].begin == 0;
    return store.keep(std::move(text_), std::move(bounds_), starts);
}

}  // namespace stillroom::lm
