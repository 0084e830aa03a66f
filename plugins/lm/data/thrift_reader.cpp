#include "plugins/lm/data/thrift_reader.h"

#include <fmt/format.h>

#include <limits>

namespace stillroom::lm {
namespace {

constexpr int kDeepest = 32;

}  // namespace

void ThriftReader::deeper() {
    if (++depth_ > kDeepest)
        throw BadBytes{fmt::format("a header nested deeper than {}", kDeepest)};
}

std::uint8_t ThriftReader::byte() {
    if (at_ == bytes_.size())
        throw BadBytes{"a header that ends too early", true};
    return static_cast<std::uint8_t>(bytes_[at_++]);
}

void ThriftReader::jump(std::uint64_t count) {
    if (count > bytes_.size() - at_)
        throw BadBytes{"a header that ends too early", true};
    at_ += static_cast<std::size_t>(count);
}

std::uint64_t ThriftReader::varint() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        std::uint8_t next = byte();
        value |= std::uint64_t{next & 0x7fU} << shift;
        if (next < 0x80)
            return value;
    }
    throw BadBytes{"a number of more than 64 bits"};
}

std::int64_t ThriftReader::zigzag() {
    std::uint64_t value = varint();
    return static_cast<std::int64_t>(value >> 1) ^ -static_cast<std::int64_t>(value & 1);
}

int ThriftReader::next_field(std::int64_t& id) {
    std::uint8_t head = byte();
    int type = head & 0xf;
    if (type == 0)
        return 0;
    if (type > kStruct)
        throw BadBytes{fmt::format("a field of type {}, which is none", type)};
    id = head >> 4 ? id + (head >> 4) : zigzag();
    if (id < 0 || id > std::numeric_limits<std::int16_t>::max())
        throw BadBytes{fmt::format("a field with the number {}", id)};
    return type;
}

std::size_t ThriftReader::list(int& type) {
    std::uint8_t head = byte();
    type = head & 0xf;
    std::uint64_t size = head >> 4 == 15 ? varint() : head >> 4;
    if (type < kTrue || type > kStruct)
        throw BadBytes{fmt::format("a list of type {}, which is none", type)};
    if (size > bytes_.size() - at_)  // an item has a byte at least
        throw BadBytes{fmt::format("a list of {} items in {} bytes", size, bytes_.size() - at_),
                       true};
    return static_cast<std::size_t>(size);
}

void ThriftReader::need(int type, int wanted) const {
    if (type != wanted)
        throw BadBytes{fmt::format("a field of type {} where {} belongs", type, wanted)};
}

std::int64_t ThriftReader::integer(int type) {
    if (type == kByte)
        return static_cast<std::int8_t>(byte());
    if (type != kShort && type != kInt)
        need(type, kLong);
    return zigzag();
}

std::int32_t ThriftReader::small(int type) {
    std::int64_t value = integer(type);
    if (value < std::numeric_limits<std::int32_t>::min() ||
        value > std::numeric_limits<std::int32_t>::max())
        throw BadBytes{fmt::format("{} where 32 bits belong", value)};
    return static_cast<std::int32_t>(value);
}

bool ThriftReader::boolean(int type) {
    if (type != kTrue)
        need(type, kFalse);
    return type == kTrue;
}

std::string_view ThriftReader::binary(int type) {
    need(type, kBinary);
    std::uint64_t size = varint();
    std::size_t begin = at_;
    jump(size);
    return {reinterpret_cast<const char*>(bytes_.data() + begin), static_cast<std::size_t>(size)};
}

void ThriftReader::skip(int type) {
    switch (type) {
        case kTrue:
        case kFalse:
            return;
        case kByte:
            jump(1);
            return;
        case kShort:
        case kInt:
        case kLong:
            varint();
            return;
        case kDouble:
            jump(8);
            return;
        case kBinary:
            jump(varint());
            return;
        case kList:
        case kSet:
            items(kList, [this](int each) { each <= kFalse ? jump(1) : skip(each); });
            return;
        case kMap: {
            std::uint64_t size = varint();
            if (size == 0)
                return;
            if (size > bytes_.size() - at_)
                throw BadBytes{fmt::format("a map of {} entries", size), true};
            Nested nested(*this);
            std::uint8_t types = byte();
            for (; size > 0; --size)
                for (int each : {types >> 4, types & 0xf})
                    each == kTrue || each == kFalse ? jump(1) : skip(each);
            return;
        }
        case kStruct:
            fields([](int, int) { return false; });
            return;
        default:
            throw BadBytes{fmt::format("a field of type {}, which is none", type)};
    }
}

}  // namespace stillroom::lm
