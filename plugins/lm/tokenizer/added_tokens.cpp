#include "plugins/lm/tokenizer/added_tokens.h"

#include "plugins/lm/tokenizer/unicode.h"

#include <algorithm>

// The texts stand in an automaton backwards. Read from the end of a text to its begin, its state
// says at each place which texts begin there; the longest of them is kept with the state. Where few
// places could begin one, each is looked at by itself; else one pass over all finds the candidates,
// so that no text takes more than a small multiple of its length. The leftmost that do not overlap
// are then taken.

namespace stillroom::lm {

AddedTokenFinder::AddedTokenFinder(const std::vector<AddedToken>& tokens,
                                   const std::vector<std::string>& texts)
    : tokens_(tokens) {
    for (std::uint32_t i = 0; i < texts.size(); ++i) {
        sizes_.push_back(texts[i].size());
        if (texts[i].empty())
            continue;
        if (nodes_.empty())
            nodes_.emplace_back();
        begins_[static_cast<unsigned char>(texts[i][0])] = true;
        if (texts[i].size() > 1)
            seconds_[static_cast<unsigned char>(texts[i][1])] = true;
        else
            seconds_.fill(true);
        all_special_ = all_special_ && tokens[i].special;
        std::uint32_t node = 0;
        for (std::size_t at = texts[i].size(); at-- > 0;) {
            auto byte = static_cast<unsigned char>(texts[i][at]);
            std::uint32_t next = child(node, byte);
            if (next == kNone) {
                next = static_cast<std::uint32_t>(nodes_.size());
                nodes_.emplace_back();
                edges_.push_back({byte, next, nodes_[node].first_edge});
                nodes_[node].first_edge = static_cast<std::uint32_t>(edges_.size() - 1);
            }
            node = next;
        }
        if (nodes_[node].token == kNone)
            nodes_[node].token = i;
    }
    for (const std::string& text : texts)
        longest_ = std::max(longest_, text.size());
    if (std::count(begins_.begin(), begins_.end(), true) == 1)
        only_begin_ =
            static_cast<int>(std::find(begins_.begin(), begins_.end(), true) - begins_.begin());
    for (unsigned byte = 0; byte < 256 && !nodes_.empty(); ++byte) {
        std::uint32_t to = child(0, static_cast<unsigned char>(byte));
        from_root_[byte] = to == kNone ? 0 : to;
    }
    // Breadth first: where to go on when no edge fits.
    std::vector<std::uint32_t> order;
    if (!nodes_.empty())
        order.push_back(0);
    for (std::size_t i = 0; i < order.size(); ++i) {
        std::uint32_t node = order[i];
        nodes_[node].longest =
            nodes_[node].token != kNone ? nodes_[node].token : nodes_[nodes_[node].fail].longest;
        for (std::uint32_t e = nodes_[node].first_edge; e != kNone; e = edges_[e].next) {
            std::uint32_t to = edges_[e].to;
            std::uint32_t fail = node;
            std::uint32_t found = kNone;
            while (fail != 0 && found == kNone) {
                fail = nodes_[fail].fail;
                found = child(fail, edges_[e].byte);
            }
            nodes_[to].fail = found == kNone || found == to ? 0 : found;
            order.push_back(to);
        }
    }
}

std::uint32_t AddedTokenFinder::child(std::uint32_t node, unsigned char byte) const {
    for (std::uint32_t e = nodes_[node].first_edge; e != kNone; e = edges_[e].next)
        if (edges_[e].byte == byte)
            return edges_[e].to;
    return kNone;
}

std::uint32_t AddedTokenFinder::step(std::uint32_t node, unsigned char byte) const {
    for (; node != 0; node = nodes_[node].fail)
        if (std::uint32_t next = child(node, byte); next != kNone)
            return next;
    return from_root_[byte];
}

/// Of the texts that begin here the longest, from what it could reach back to.
std::uint32_t AddedTokenFinder::longest_at(std::string_view text, std::size_t at) const {
    std::uint32_t node = 0;
    for (std::size_t i = std::min(text.size(), at + longest_); i-- > at;)
        node = step(node, static_cast<unsigned char>(text.data()[i]));
    return nodes_[node].longest;
}

/// The first place from there on where a text could begin; npos: none.
std::size_t AddedTokenFinder::next_begin(std::string_view text, std::size_t from) const {
    for (std::size_t at = from;; ++at) {
        if (only_begin_ >= 0)
            at = text.find(static_cast<char>(only_begin_), at);
        else
            while (at < text.size() && !begins_[static_cast<unsigned char>(text.data()[at])])
                ++at;
        if (at >= text.size())
            return std::string_view::npos;
        if (at + 1 == text.size() || seconds_[static_cast<unsigned char>(text.data()[at + 1])])
            return at;
    }
}

std::vector<AddedTokenFinder::Found> AddedTokenFinder::candidates(std::string_view text) const {
    std::vector<Found> out;
    std::size_t spent = 0;
    for (std::size_t at = next_begin(text, 0); at != std::string_view::npos;) {
        spent += longest_;
        if (spent > 256 + text.size())
            return longest_from_each(text);
        std::uint32_t token = longest_at(text, at);
        if (token != kNone)
            out.push_back({at, at + sizes_[token], token});
        at = next_begin(text, token != kNone ? at + sizes_[token] : at + 1);
    }
    return out;
}

std::vector<AddedTokenFinder::Found> AddedTokenFinder::longest_from_each(
    std::string_view text) const {
    std::vector<Found> out;
    std::uint32_t node = 0;
    for (std::size_t at = text.size(); at-- > 0;) {
        node = step(node, static_cast<unsigned char>(text[at]));
        if (std::uint32_t token = nodes_[node].longest; token != kNone)
            out.push_back({at, at + sizes_[token], token});
    }
    std::reverse(out.begin(), out.end());
    return out;
}

std::vector<AddedTokenFinder::Found> AddedTokenFinder::find(std::string_view text,
                                                            bool special) const {
    std::vector<Found> out;
    if (empty() || (all_special_ && !special))
        return out;
    const Unicode& table = Unicode::get();
    std::size_t matched = 0, taken = 0;
    int length = 0;
    for (Found found : candidates(text)) {
        if (found.begin < matched)
            continue;
        matched = found.end;
        const AddedToken& token = tokens_[found.token];
        if (token.special && !special)
            continue;
        if (token.single_word) {
            bool word_before =
                found.begin > 0 &&
                table.is(code_point_before(text.data() + found.begin, length), unicode::kWord);
            bool word_behind =
                found.end < text.size() &&
                table.is(code_point(text.data() + found.end, length), unicode::kWord);
            if (word_before || word_behind)
                continue;
        }
        while (token.left_strip && found.begin > taken &&
               table.is(code_point_before(text.data() + found.begin, length), unicode::kSpace))
            found.begin -= static_cast<std::size_t>(length);
        while (token.right_strip && found.end < text.size() &&
               table.is(code_point(text.data() + found.end, length), unicode::kSpace))
            found.end += static_cast<std::size_t>(length);
        out.push_back(found);
        taken = found.end;
    }
    return out;
}

}  // namespace stillroom::lm
