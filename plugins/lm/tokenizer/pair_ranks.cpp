#include "plugins/lm/tokenizer/pair_ranks.h"

#include "plugins/lm/tokenizer/text_hash.h"

#include <algorithm>
#include <bit>

namespace stillroom::lm {

PairRanks::PairRanks(const std::vector<Merge>& merges)
    : entries_(std::bit_ceil(merges.size() * 8 / 5 + 16), kEmpty),
      mask_(entries_.size() - 1),
      seed_(hash_seed() | 1) {
    std::uint32_t last = 0;
    for (const Merge& merge : merges)
        last = std::max(last, merge.rank);
    made_.assign(merges.empty() ? 0 : last + std::size_t{1}, kNone);
    for (const Merge& merge : merges) {
        std::uint64_t pair = static_cast<std::uint64_t>(merge.left) << kIdBits | merge.right;
        std::size_t i = place_of(pair);
        while (entries_[i] != kEmpty && entries_[i] >> kRankBits != pair)
            i = (i + 1) & mask_;
        entries_[i] = pair << kRankBits | merge.rank;
        made_[merge.rank] = merge.made;
    }
}

bool PairRanks::mentions(std::span<const std::uint32_t> ids) const {
    std::vector<bool> asked(std::size_t{1} << kIdBits);
    for (std::uint32_t id : ids)
        asked[id] = true;
    return std::any_of(entries_.begin(), entries_.end(), [&](std::uint64_t entry) {
        std::uint64_t pair = entry >> kRankBits;
        return entry != kEmpty && (asked[pair >> kIdBits] || asked[pair & (asked.size() - 1)]);
    });
}

}  // namespace stillroom::lm
