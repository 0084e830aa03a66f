#pragma once

#include "plugins/lm/tokenizer/merge_window.h"
#include "plugins/lm/tokenizer/zeroed_memory.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>

// A long word is merged a window at a time, in memory that is near. That is exact, whatever the
// ranks are. Let the tokens of the word as far as its `end` be known, one of them beginning at p,
// and let a window from p on give a token that begins at q, where one of the known ones begins too
// or they end. No merge of the known part reached over p or q, so what lies before p, between p and
// q, and behind q merged there as if alone; the same holds of the two parts in the window. Which of
// two neighbouring parts takes the next step depends on these two alone, so the whole goes through
// the same pairs of states: before p and from p on as the known part did, before q and from q on as
// the window did. In none of them was a merge over p or q the next, so none is in the whole: its
// tokens are the known ones before q and the window's from there on. A window in which there is no
// such q was too small and is taken again, wider.

namespace stillroom::lm {

/// A token that begins at a symbol of a word and ends where the next begins.
struct Merged {
    std::uint32_t begin = 0;
    std::uint32_t id = 0;
};

/// Appends what some symbols become, the first of which has the place `begin`.
void merge_wide(std::span<const std::uint32_t> ids,
                std::uint32_t begin,
                const PairRanks& pairs,
                LargeVector<Merged>& out);

/// The first token but one of a window that begins where one of the known ones does or they end;
/// both begin with a token at the same place.
struct Meeting {
    std::size_t known = 0;
    std::size_t window = 0;  ///< 0: there is none
};
Meeting find_meeting(std::span<const Merged> known,
                     std::uint32_t end,
                     std::span<const Merged> window);

// `Symbols` has a size(), the id(place) of each symbol, and the rank(place) that it and the next
// have together.

template <class Symbols>
MergeWindow merge_few(const Symbols& symbols,
                      std::uint32_t begin,
                      std::uint32_t end,
                      const PairRanks& pairs) {
    MergeWindow out;
    for (std::uint32_t i = begin; i + 1 < end; ++i)
        out.add(symbols.id(i), symbols.rank(i));
    if (begin < end)
        out.add(symbols.id(end - 1), PairRanks::kNone);
    out.merge(pairs);
    return out;
}

/// What some of the symbols become where nothing stands beside them.
template <class Symbols>
void merge_between(const Symbols& symbols,
                   std::uint32_t begin,
                   std::uint32_t end,
                   const PairRanks& pairs,
                   LargeVector<Merged>& out) {
    out.clear();
    if (end - begin <= MergeWindow::kMost) {
        MergeWindow few = merge_few(symbols, begin, end, pairs);
        few.for_each([&](std::uint32_t place, std::uint32_t id) {
            out.push_back({begin + place, id});
        });
        return;
    }
    LargeVector<std::uint32_t> ids(end - begin);
    for (std::uint32_t i = begin; i < end; ++i)
        ids[i - begin] = symbols.id(i);
    merge_wide(ids, begin, pairs, out);
}

template <class Symbols>
LargeVector<Merged> merge_long(const Symbols& symbols, const PairRanks& pairs) {
    constexpr std::size_t kBack = 16, kWider = 4;
    const std::uint32_t size = symbols.size();
    LargeVector<Merged> out, window;
    std::uint32_t end = 0;
    for (std::size_t back = kBack; end < size;) {
        // From a token on that has so many symbols behind it.
        std::size_t from = out.size();
        while (from > 0 && (from == out.size() || end - out[from].begin < back))
            --from;
        std::uint32_t begin = from < out.size() ? out[from].begin : 0;
        std::size_t width = std::max<std::size_t>(MergeWindow::kMost, back * kWider);
        auto until = static_cast<std::uint32_t>(std::min<std::size_t>(size, begin + width));
        bool goes_on = until == size || until >= end + width / kWider;
        Meeting meeting;
        if (goes_on) {
            merge_between(symbols, begin, until, pairs, window);
            if (begin > 0)
                meeting = find_meeting(std::span(out).subspan(from), end, window);
        }
        if (!goes_on || (begin > 0 && meeting.window == 0)) {
            back *= kWider;
            continue;
        }
        out.resize(from + meeting.known);
        out.insert(
            out.end(), window.begin() + static_cast<std::ptrdiff_t>(meeting.window), window.end());
        end = until;
        back = std::max(kBack, back / kWider);
    }
    return out;
}

/// What symbols become: act(place of its first, id) for each token.
template <class Symbols, class Act>
void merge_symbols(const Symbols& symbols, const PairRanks& pairs, Act act) {
    if (symbols.size() <= MergeWindow::kMost)
        merge_few(symbols, 0, symbols.size(), pairs).for_each(act);
    else
        for (const Merged& token : merge_long(symbols, pairs))
            act(token.begin, token.id);
}

}  // namespace stillroom::lm
