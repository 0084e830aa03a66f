#include "plugins/lm/tokenizer/pair_ranks.h"

#include "plugins/lm/tokenizer/text_hash.h"

#include <algorithm>
#include <bit>

namespace stillroom::lm {

PairRanks::PairRanks(std::span<const Merge> merges) : seed_(hash_seed() | 1) {
    std::uint32_t last = 0;
    for (const Merge& merge : merges)
        last = std::max(last, merge.rank);
    LargeVector<std::uint64_t> entries(std::bit_ceil(merges.size() * 8 / 5 + 16), kEmpty);
    LargeVector<std::uint32_t> made(merges.empty() ? 0 : last + std::size_t{1}, kNone);
    mask_ = entries.size() - 1;
    constexpr std::size_t kAhead = 16;
    for (std::size_t n = 0; n < merges.size(); ++n) {
        if (n + kAhead < merges.size())
            __builtin_prefetch(&entries[place_of(pair_of(merges[n + kAhead]))], 1);
        const Merge& merge = merges[n];
        std::uint64_t pair = pair_of(merge);
        std::size_t i = place_of(pair);
        while (entries[i] != kEmpty && entries[i] >> kRankBits != pair)
            i = (i + 1) & mask_;
        entries[i] = pair << kRankBits | merge.rank;
        made[merge.rank] = merge.made;
    }
    entries_.change([&](auto& own) { own = std::move(entries); });
    made_.change([&](auto& own) { own = std::move(made); });
}

PairRanks::PairRanks(CompiledReader& in) {
    entries_.see(in.take<std::uint64_t>());
    made_.see(in.take<std::uint32_t>());
    seed_ = in.take_number();
    in.require(std::has_single_bit(entries_.size()));
    mask_ = entries_.size() - 1;
    std::size_t free = 0;
    std::uint64_t largest = 0;
    for (std::uint64_t entry : entries_.all()) {
        free += entry == kEmpty;
        largest = std::max(largest, entry == kEmpty ? 0 : entry & ((1u << kRankBits) - 1));
    }
    in.require(free > 0 && (free == entries_.size() || largest < made_.size()));
}

void PairRanks::write(CompiledWriter& out) const {
    out.add(entries_.all());
    out.add(made_.all());
    out.add_number(seed_);
}

bool PairRanks::mentions(std::span<const std::uint32_t> ids) const {
    std::vector<bool> asked(std::size_t{1} << kIdBits);
    for (std::uint32_t id : ids)
        asked[id] = true;
    return std::any_of(entries_.all().begin(), entries_.all().end(), [&](std::uint64_t entry) {
        std::uint64_t pair = entry >> kRankBits;
        return entry != kEmpty && (asked[pair >> kIdBits] || asked[pair & (asked.size() - 1)]);
    });
}

}  // namespace stillroom::lm
