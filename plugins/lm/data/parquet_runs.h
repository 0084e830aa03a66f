#pragma once

#include "plugins/lm/data/thrift_reader.h"

#include <cstddef>
#include <cstdint>
#include <span>

namespace stillroom::lm {

// The two ways in which Parquet packs small numbers. Both give one number after another and hold
// no more than where they are, so that a page that announces a billion values costs nothing.

/// Runs of one value, or of values bit by bit behind each other ("RLE/bit-packed hybrid").
class HybridRuns {
public:
    HybridRuns() = default;  ///< zeros without end
    /// Throws BadBytes for a width over 32.
    HybridRuns(std::span<const std::byte> bytes, int width);

    std::uint32_t next() {
        if (width_ == 0)
            return 0;
        if (left_ == 0)
            open_run();
        --left_;
        return packed_ ? unpack() : value_;
    }

private:
    void open_run();
    std::uint32_t unpack();

    std::span<const std::byte> bytes_;
    int width_ = 0;
    std::size_t at_ = 0;
    std::uint64_t left_ = 0;
    bool packed_ = false;
    std::uint32_t value_ = 0;
    std::uint64_t bit_ = 0;  ///< of the next packed value, from the begin of `bytes_`
};

/// Differences to the value before, in blocks ("DELTA_BINARY_PACKED").
class DeltaRuns {
public:
    DeltaRuns() = default;
    explicit DeltaRuns(std::span<const std::byte> bytes);

    std::uint64_t count() const { return count_; }  ///< as announced
    std::int64_t next();

    /// Where the bytes behind the last value begin. Ends the reading.
    std::size_t end();

private:
    std::uint64_t varint();
    void open_block();
    void open_mini_block();

    std::span<const std::byte> bytes_;
    std::size_t at_ = 0;
    std::uint64_t count_ = 0, given_ = 0;
    std::uint64_t per_mini_ = 0, minis_ = 0;
    std::uint64_t value_ = 0, least_ = 0;
    std::size_t widths_ = 0;  ///< where the widths of the block's mini blocks stand
    std::uint64_t mini_ = 0;  ///< of the block: which comes next
    std::uint64_t left_ = 0;  ///< in the mini block
    int width_ = 0;
    std::uint64_t bit_ = 0;
};

}  // namespace stillroom::lm
