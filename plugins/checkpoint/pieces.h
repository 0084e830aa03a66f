#pragma once

#include <algorithm>
#include <cstddef>
#include <future>
#include <vector>

namespace stillroom::checkpoint {

inline constexpr std::size_t kPieceElements = std::size_t{1} << 20;

/// Calls work(first, count) for pieces of `total` elements, up to `threads` at once, and `add` with
/// each result in the order of the pieces: sums do not depend on the threads.
template <class Work, class Add>
void in_pieces(std::size_t total, unsigned threads, Work work, Add add) {
    const std::size_t turn = kPieceElements * std::max(threads, 1U);
    for (std::size_t at = 0; at < total; at += turn) {
        const std::size_t end = std::min(total, at + turn);
        using Result = decltype(work(at, end));
        std::vector<std::future<Result>> others;
        for (std::size_t first = at + kPieceElements; first < end; first += kPieceElements)
            others.push_back(
                std::async(std::launch::async, work, first, std::min(kPieceElements, end - first)));
        add(work(at, std::min(kPieceElements, end - at)));
        for (auto& other : others)
            add(other.get());
    }
}

}  // namespace stillroom::checkpoint
