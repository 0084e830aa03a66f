#pragma once

#include "plugins/lm/tokenizer/compiled.h"
#include "plugins/lm/tokenizer/table.h"

#include <cstdint>
#include <span>
#include <vector>

namespace stillroom::lm {

/// Two tokens that become one; the lowest rank is tried first. What a rank makes is the same for
/// every pair that has it.
struct Merge {
    std::uint32_t left = 0;
    std::uint32_t right = 0;
    std::uint32_t made = 0;
    std::uint32_t rank = 0;
};

/// Which rank a pair of tokens has: an open hash table of 8 bytes a pair. Of the same pair twice
/// the later counts.
class PairRanks {
public:
    static constexpr std::uint32_t kNone = 0xFFFFFFFF;
    static constexpr int kIdBits = 21;    ///< of a token
    static constexpr int kRankBits = 22;  ///< of a rank

    PairRanks() = default;  ///< of which find() must not be asked
    explicit PairRanks(std::span<const Merge> merges);
    explicit PairRanks(CompiledReader& in);
    void write(CompiledWriter& out) const;

    /// kNone: they do not merge.
    std::uint32_t find(std::uint32_t left, std::uint32_t right) const {
        std::uint64_t pair = static_cast<std::uint64_t>(left) << kIdBits | right;
        const std::uint64_t* entries = entries_.data();
        for (std::size_t i = place_of(pair);; i = (i + 1) & mask_) {
            std::uint64_t entry = entries[i];
            if (entry >> kRankBits == pair)
                return static_cast<std::uint32_t>(entry) & ((1u << kRankBits) - 1);
            if (entry == kEmpty)
                return kNone;
        }
    }
    /// One of the ids is a part of a pair.
    bool mentions(std::span<const std::uint32_t> ids) const;
    std::uint32_t made(std::uint32_t rank) const { return made_.data()[rank]; }
    std::size_t ranks() const { return made_.size(); }  ///< the largest + 1
    /// By rank; kNone where no merge has it.
    std::span<const std::uint32_t> all_made() const { return made_.all(); }

private:
    static constexpr std::uint64_t kEmpty = ~std::uint64_t{0};

    static std::uint64_t pair_of(const Merge& merge) {
        return static_cast<std::uint64_t>(merge.left) << kIdBits | merge.right;
    }
    std::size_t place_of(std::uint64_t pair) const {
        std::uint64_t hash = pair * seed_;
        return (hash ^ hash >> 32) & mask_;
    }

    Table<std::uint64_t> entries_;  // left, right, rank
    Table<std::uint32_t> made_;
    std::size_t mask_ = 0;
    std::uint64_t seed_ = 0;
};

}  // namespace stillroom::lm
