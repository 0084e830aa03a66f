#include "plugins/lm/data/snappy.h"

#include "plugins/lm/data/thrift_reader.h"

#include <fmt/format.h>

#include <cstdint>
#include <cstring>

namespace stillroom::lm {
namespace {

constexpr std::size_t kMostRatio = 32;  // three bytes give 64 at most

class Snappy {
public:
    explicit Snappy(std::span<const std::byte> bytes) : bytes_(bytes) {}

    std::string run(std::size_t size) {
        std::uint64_t said = length();
        if (said != size)
            throw BadBytes{fmt::format("snappy data for {} bytes where {} belong", said, size)};
        if (size > bytes_.size() * kMostRatio)
            throw BadBytes{fmt::format("{} bytes of snappy cannot be {}", bytes_.size(), size)};
        out_.resize(size);
        while (at_ < bytes_.size())
            element();
        if (filled_ != size)
            throw BadBytes{
                fmt::format("snappy data that ends after {} of {} bytes", filled_, size)};
        return std::move(out_);
    }

private:
    std::uint64_t length() {
        std::uint64_t value = 0;
        for (int shift = 0; shift < 35; shift += 7) {
            std::uint64_t next = number(1);
            value |= (next & 0x7f) << shift;
            if (next < 0x80)
                return value;
        }
        throw BadBytes{"snappy data without a length"};
    }

    /// Little-endian.
    std::uint64_t number(std::size_t count) {
        if (count > bytes_.size() - at_)
            throw BadBytes{"snappy data that ends too early"};
        std::uint64_t value = 0;
        std::memcpy(&value, bytes_.data() + at_, count);
        at_ += count;
        return value;
    }

    void element() {
        std::uint64_t tag = number(1);
        std::size_t more = tag >> 2;
        switch (tag & 3) {
            case 0:
                if (more >= 60)
                    more = number(more - 59);
                return literal(more + 1);
            case 1:
                return copy((more & 7) + 4, (tag >> 5 << 8) | number(1));
            case 2:
                return copy(more + 1, number(2));
            default:
                return copy(more + 1, number(4));
        }
    }

    void literal(std::size_t count) {
        if (count > bytes_.size() - at_ || count > out_.size() - filled_)
            throw BadBytes{"a snappy literal that is too long"};
        std::memcpy(out_.data() + filled_, bytes_.data() + at_, count);
        at_ += count;
        filled_ += count;
    }

    /// The source may run into what is being written: then it repeats.
    void copy(std::size_t count, std::size_t back) {
        if (back == 0 || back > filled_ || count > out_.size() - filled_)
            throw BadBytes{fmt::format("a snappy copy of {} bytes from {} before", count, back)};
        char* to = out_.data() + filled_;
        if (back >= count)
            std::memcpy(to, to - back, count);
        else
            for (std::size_t i = 0; i < count; ++i)
                to[i] = to[static_cast<std::ptrdiff_t>(i) - static_cast<std::ptrdiff_t>(back)];
        filled_ += count;
    }

    std::span<const std::byte> bytes_;
    std::size_t at_ = 0;
    std::string out_;
    std::size_t filled_ = 0;
};

}  // namespace

std::string unsnappy(std::span<const std::byte> bytes, std::size_t size) {
    return Snappy(bytes).run(size);
}

}  // namespace stillroom::lm
