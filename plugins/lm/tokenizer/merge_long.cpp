#include "plugins/lm/tokenizer/merge_long.h"

#include <queue>
#include <vector>

namespace stillroom::lm {
namespace {

constexpr std::uint32_t kNone = PairRanks::kNone;

/// What begins at a symbol.
struct Place {
    std::uint32_t id = 0;
    std::uint32_t rank = kNone;  ///< that it has together with what follows
    std::uint32_t length = 1;    ///< symbols; known at its last one too
};

}  // namespace

void merge_wide(std::span<const std::uint32_t> ids,
                std::uint32_t begin,
                const PairRanks& pairs,
                LargeVector<Merged>& out) {
    auto size = static_cast<std::uint32_t>(ids.size());
    LargeVector<Place> places(size);
    std::priority_queue<std::uint64_t, std::vector<std::uint64_t>, std::greater<>> tasks;
    auto wait = [&](std::uint32_t at) {
        Place& place = places[at];
        std::uint32_t next = at + place.length;
        place.rank = next < size ? pairs.find(place.id, places[next].id) : kNone;
        if (place.rank != kNone)
            tasks.push(static_cast<std::uint64_t>(place.rank) << 32 | at);
    };
    for (std::uint32_t at = 0; at < size; ++at)
        places[at].id = ids[at];
    for (std::uint32_t at = 0; at < size; ++at)
        wait(at);
    while (!tasks.empty()) {
        auto at = static_cast<std::uint32_t>(tasks.top());
        auto rank = static_cast<std::uint32_t>(tasks.top() >> 32);
        tasks.pop();
        Place& place = places[at];
        if (place.rank != rank)
            continue;  // merged away, or another pair by now
        Place& gone = places[at + place.length];
        gone.rank = kNone;
        place.id = pairs.made(rank);
        place.length += gone.length;
        places[at + place.length - 1].length = place.length;
        wait(at);
        if (at > 0)
            wait(at - places[at - 1].length);
    }
    for (std::uint32_t at = 0; at < size; at += places[at].length)
        out.push_back({begin + at, places[at].id});
}

Meeting find_meeting(std::span<const Merged> known,
                     std::uint32_t end,
                     std::span<const Merged> window) {
    Meeting at{1, 1};
    while (at.window < window.size()) {
        std::uint32_t there = at.known < known.size() ? known[at.known].begin : end;
        if (there == window[at.window].begin)
            return at;
        if (there > window[at.window].begin)
            ++at.window;
        else if (at.known < known.size())
            ++at.known;
        else
            break;
    }
    return {};
}

}  // namespace stillroom::lm
