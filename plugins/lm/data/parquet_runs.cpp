#include "plugins/lm/data/parquet_runs.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace stillroom::lm {
namespace {

constexpr std::uint64_t kMostBlock = std::uint64_t{1} << 20;

[[noreturn]] void too_early() {
    throw BadBytes{"packed numbers that end too early"};
}

std::uint64_t read_varint(std::span<const std::byte> bytes, std::size_t& at) {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        if (at == bytes.size())
            too_early();
        auto next = static_cast<std::uint64_t>(bytes[at++]);
        value |= (next & 0x7f) << shift;
        if (next < 0x80)
            return value;
    }
    throw BadBytes{"a number of more than 64 bits"};
}

/// `width` bits from `bit` on, lowest first; they lie inside.
std::uint64_t read_bits(std::span<const std::byte> bytes, std::uint64_t bit, int width) {
    std::size_t first = static_cast<std::size_t>(bit / 8);
    auto shift = static_cast<int>(bit % 8);
    std::uint64_t low = 0;
    std::memcpy(&low, bytes.data() + first, std::min<std::size_t>(8, bytes.size() - first));
    low >>= shift;
    if (shift + width > 64)
        low |= static_cast<std::uint64_t>(bytes[first + 8]) << (64 - shift);
    return width == 64 ? low : low & ((std::uint64_t{1} << width) - 1);
}

}  // namespace

HybridRuns::HybridRuns(std::span<const std::byte> bytes, int width) : bytes_(bytes), width_(width) {
    if (width < 0 || width > 32)
        throw BadBytes{fmt::format("numbers of {} bits", width)};
}

void HybridRuns::open_run() {
    while (left_ == 0) {
        std::uint64_t head = read_varint(bytes_, at_);
        packed_ = head & 1;
        auto width = static_cast<std::uint64_t>(width_);
        std::size_t room = bytes_.size() - at_;
        if (packed_) {
            std::uint64_t groups = head >> 1;
            if (groups > room / width)
                too_early();
            bit_ = std::uint64_t{at_} * 8;
            at_ += static_cast<std::size_t>(groups * width);
            left_ = groups * 8;
        } else {
            std::size_t size = (width + 7) / 8;
            if (size > room)
                too_early();
            value_ = 0;
            std::memcpy(&value_, bytes_.data() + at_, size);
            at_ += size;
            left_ = head >> 1;
        }
    }
}

std::uint32_t HybridRuns::unpack() {
    auto value = static_cast<std::uint32_t>(read_bits(bytes_, bit_, width_));
    bit_ += static_cast<std::uint64_t>(width_);
    return value;
}

DeltaRuns::DeltaRuns(std::span<const std::byte> bytes) : bytes_(bytes) {
    std::uint64_t block = varint();
    minis_ = varint();
    count_ = varint();
    std::uint64_t first = varint();
    if (block == 0 || block > kMostBlock || minis_ == 0 || block % minis_ != 0 ||
        block / minis_ % 8 != 0)
        throw BadBytes{fmt::format("delta blocks of {} values in {} parts", block, minis_)};
    per_mini_ = block / minis_;
    mini_ = minis_;
    value_ = (first >> 1) ^ (~(first & 1) + 1);
}

std::uint64_t DeltaRuns::varint() {
    return read_varint(bytes_, at_);
}

void DeltaRuns::open_block() {
    std::uint64_t least = varint();
    least_ = (least >> 1) ^ (~(least & 1) + 1);
    widths_ = at_;
    if (minis_ > bytes_.size() - at_)
        too_early();
    at_ += static_cast<std::size_t>(minis_);
    mini_ = 0;
}

void DeltaRuns::open_mini_block() {
    if (mini_ == minis_)
        open_block();
    width_ = static_cast<int>(bytes_[widths_ + static_cast<std::size_t>(mini_++)]);
    if (width_ > 64)
        throw BadBytes{fmt::format("differences of {} bits", width_)};
    std::uint64_t size = per_mini_ / 8 * static_cast<std::uint64_t>(width_);
    if (size > bytes_.size() - at_)
        too_early();
    bit_ = std::uint64_t{at_} * 8;
    at_ += static_cast<std::size_t>(size);
    left_ = per_mini_;
}

std::int64_t DeltaRuns::next() {
    if (given_ == count_)
        too_early();
    if (given_++ == 0)
        return static_cast<std::int64_t>(value_);
    if (left_ == 0)
        open_mini_block();
    --left_;
    value_ += least_ + (width_ ? read_bits(bytes_, bit_, width_) : 0);
    bit_ += static_cast<std::uint64_t>(width_);
    return static_cast<std::int64_t>(value_);
}

std::size_t DeltaRuns::end() {
    while (given_ < count_) {
        if (given_ > 0 && left_ == 0)
            open_mini_block();
        std::uint64_t step = given_ == 0 ? 1 : std::min(left_, count_ - given_);
        if (given_ > 0)
            left_ -= step;
        given_ += step;
    }
    return at_;
}

}  // namespace stillroom::lm
