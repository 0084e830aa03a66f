#pragma once

#include "plugins/lm/tokenizer/pair_ranks.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <limits>

namespace stillroom::lm {

/// Some symbols that merge: the pair of the lowest rank first and of equal ones the leftmost. All
/// of it lies in a few lines of memory, and a merge moves nothing: a token has the place of its
/// first symbol. Where there are many, the lowest rank in every few places is known, so that after
/// a merge only these few are looked at again.
class MergeWindow {
public:
    static constexpr std::uint32_t kMost = 256;

    /// At most so many symbols, from the first on, each with the rank that it and the next have
    /// together: PairRanks::kNone for none, as the last.
    void add(std::uint32_t id, std::uint32_t rank) {
        ids_[size_] = id;
        lengths_[size_] = 1;
        set(size_++, rank);
    }

    void merge(const PairRanks& pairs) {
        if (size_ <= kLine) {
            for (std::int32_t task = lowest_of_few(); task != kNothing; task = lowest_of_few())
                merge_at<false>(task, pairs);
            return;
        }
        std::uint32_t lines = (size_ + kLine - 1) / kLine;
        std::fill(tasks_ + size_, tasks_ + lines * kLine, kNothing);
        std::fill(least_ + lines, least_ + kLine, kNothing);
        for (std::uint32_t line = 0; line < lines; ++line)
            look_again(line);
        for (std::int32_t task = lowest(least_); task != kNothing; task = lowest(least_))
            merge_at<true>(task, pairs);
    }

    /// What is left: act(place of its first symbol, id)
    template <class Act>
    void for_each(Act act) const {
        for (std::uint32_t place = 0; place < size_; place += lengths_[place])
            act(place, ids_[place]);
    }

private:
    /// A rank, and below it the place. Signed, as that is what processors compare.
    static constexpr std::int32_t kNothing = std::numeric_limits<std::int32_t>::max();
    static constexpr std::uint32_t kLine = 16;
    static_assert(kMost == kLine * kLine);
    static_assert(std::int64_t{kMost} << PairRanks::kRankBits <= kNothing);

    void set(std::uint32_t place, std::uint32_t rank) {
        tasks_[place] =
            rank == PairRanks::kNone ? kNothing : static_cast<std::int32_t>(rank * kMost + place);
    }
    /// One number after the other: vectors would wait for what has just been set.
    std::int32_t lowest_of_few() const {
        std::int32_t least = kNothing;
        for (std::uint32_t i = 0; i < size_; ++i)
            least = std::min(least, tasks_[i]);
        return least;
    }
    static std::int32_t lowest(const std::int32_t* line) {
        using Four = std::int32_t __attribute__((vector_size(16)));
        Four all[4];
        std::memcpy(all, line, sizeof all);
        auto least = [](Four a, Four b) { return a < b ? a : b; };
        Four four = least(least(all[0], all[1]), least(all[2], all[3]));
        four = least(four, __builtin_shufflevector(four, four, 2, 3, 0, 1));
        four = least(four, __builtin_shufflevector(four, four, 1, 0, 3, 2));
        return four[0];
    }
    void look_again(std::uint32_t line) { least_[line] = lowest(tasks_ + line * kLine); }

    template <bool kByLines>
    void merge_at(std::int32_t task, const PairRanks& pairs) {
        std::uint32_t place = static_cast<std::uint32_t>(task) % kMost, line = place / kLine;
        std::uint32_t gone = place + lengths_[place], next = gone + lengths_[gone];
        lengths_[place] = lengths_[next - 1] = static_cast<std::uint16_t>(next - place);
        ids_[place] = pairs.made(static_cast<std::uint32_t>(task) / kMost);
        tasks_[gone] = kNothing;
        set(place, next < size_ ? pairs.find(ids_[place], ids_[next]) : PairRanks::kNone);
        if (kByLines && gone / kLine != line)
            look_again(gone / kLine);
        if (place > 0) {
            std::uint32_t before = place - lengths_[place - 1];
            set(before, pairs.find(ids_[before], ids_[place]));
            if (kByLines && before / kLine != line)
                look_again(before / kLine);
        }
        if (kByLines)
            look_again(line);
    }

    std::uint32_t size_ = 0;
    std::int32_t least_[kLine];  // of each line
    std::int32_t tasks_[kMost];
    std::uint32_t ids_[kMost];
    std::uint16_t lengths_[kMost];  // of a token, at its first symbol and at its last
};

}  // namespace stillroom::lm
