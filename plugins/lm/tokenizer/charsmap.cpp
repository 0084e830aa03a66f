#include "plugins/lm/tokenizer/charsmap.h"

#include "engine/base/text.h"
#include "plugins/lm/tokenizer/grapheme.h"
#include "plugins/lm/tokenizer/unicode.h"

#include <algorithm>
#include <cstring>

namespace stillroom::lm {
namespace {

constexpr std::size_t kLongGrapheme = 6;

struct Change {
    char32_t c = 0;
    int change = 0;
};

/// `to` in the place of `from`; what is over counts as inserted, what is missing as dropped.
void replace(std::vector<Change>& out, std::string_view from, std::string_view to) {
    auto characters = [](std::string_view text) {
        return static_cast<int>(
            std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
    };
    int more = characters(to) - characters(from);
    int length = 0;
    for (std::size_t at = 0; at < to.size(); at += static_cast<std::size_t>(length))
        out.push_back({code_point(to.data() + at, length), 0});
    for (int i = 0; i < more; ++i)
        out[out.size() - 1 - static_cast<std::size_t>(i)].change = 1;
    if (more < 0 && !out.empty())
        out.back().change += more;
}

}  // namespace

std::optional<Charsmap> Charsmap::read(std::string_view bytes) {
    std::uint32_t size = 0;
    if (bytes.size() < 4)
        return std::nullopt;
    std::memcpy(&size, bytes.data(), 4);
    if (size > bytes.size() - 4 || size % 4 != 0 || size == 0)
        return std::nullopt;
    Charsmap out;
    out.tree_.resize(size / 4);
    std::memcpy(out.tree_.data(), bytes.data() + 4, size);
    out.texts_ = bytes.substr(4 + size);
    if (find_invalid_utf8(out.texts_))
        return std::nullopt;
    return out;
}

Charsmap::Found Charsmap::find(std::string_view text, bool longest) const {
    auto step = [](std::uint32_t unit) { return (unit >> 10) << ((unit & (1u << 9)) >> 6); };
    Found out;
    std::size_t node = step(tree_[0]);
    for (std::size_t i = 0; i < text.size(); ++i) {
        auto byte = static_cast<unsigned char>(text[i]);
        node ^= byte;
        if (byte == 0 || node >= tree_.size())
            break;
        std::uint32_t unit = tree_[node];
        if ((unit & (1u << 31 | 255)) != byte)
            break;
        node ^= step(unit);
        if (!(unit >> 8 & 1))
            continue;
        std::size_t place = node < tree_.size() ? tree_[node] & 0x7FFFFFFF : texts_.size();
        if (place >= texts_.size())
            break;
        std::string_view to = std::string_view(texts_).substr(place);
        out = {i + 1, to.substr(0, to.find('\0'))};
        if (find_invalid_utf8(out.to))  // a place inside a character
            out = {};
        if (!longest && out.bytes > 0)
            break;
    }
    return out;
}

Piece Charsmap::apply(const Piece& piece, PieceStore& store) const {
    std::string_view text = piece.text;
    std::vector<Change> changes;
    bool changed = false;
    for (std::size_t at = 0; at < text.size();) {
        std::size_t end = grapheme_end(text, at);
        std::string_view grapheme = text.substr(at, end - at);
        at = end;
        if (grapheme.size() < kLongGrapheme) {
            if (Found found = find(grapheme, false); found.bytes > 0) {
                replace(changes, grapheme, found.to);
                changed = true;
                continue;
            }
        }
        int length = 0;
        for (std::size_t i = 0; i < grapheme.size(); i += static_cast<std::size_t>(length)) {
            char32_t c = code_point(grapheme.data() + i, length);
            std::string_view part = grapheme.substr(i, static_cast<std::size_t>(length));
            Found found = find(part, false);
            changed |= found.bytes > 0;
            if (found.bytes > 0)
                replace(changes, part, found.to);
            else
                changes.push_back({c, 0});
        }
    }
    if (!changed)
        return piece;
    Rewriter out(piece);
    for (const Change& one : changes)
        out.put(one.c, one.change);
    return out.finish(store);
}

}  // namespace stillroom::lm
