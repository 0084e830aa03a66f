#include "plugins/lm/tokenizer/proto_reader.h"

#include "engine/base/error.h"

#include <fmt/format.h>

#include <bit>
#include <cstring>

namespace stillroom::lm {
namespace {

enum Wire : unsigned { kVarint = 0, kEight = 1, kBytes = 2, kFour = 5 };

}  // namespace

void ProtoReader::refuse(const std::string& why) const {
    throw Error({file_}, fmt::format("byte {}: {}", offset_ + at_, why)).exit_code(kExitBadInput);
}

std::uint64_t ProtoReader::varint() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 70; shift += 7) {
        if (at_ == bytes_.size())
            refuse("the file ends inside a number");
        auto byte = static_cast<unsigned char>(bytes_[at_++]);
        if (shift < 64)
            value |= std::uint64_t{byte & 127u} << shift;
        if (byte < 128)
            return value;
    }
    refuse("a number longer than ten bytes");
}

bool ProtoReader::next() {
    if (at_ == bytes_.size())
        return false;
    std::uint64_t tag = varint();
    if (tag >> 3 == 0 || tag >> 32 != 0)
        refuse(fmt::format("a field of the number {}", tag >> 3));
    field_ = static_cast<std::uint32_t>(tag >> 3);
    wire_ = tag & 7;
    std::uint64_t size = 0;
    switch (wire_) {
        case kVarint:
            value_ = varint();
            return true;
        case kEight:
            size = 8;
            break;
        case kFour:
            size = 4;
            break;
        case kBytes:
            size = varint();
            break;
        default:
            refuse(fmt::format("a field of the kind {}, which no such file has", wire_));
    }
    if (size > bytes_.size() - at_)
        refuse(fmt::format("a field of {} bytes where {} are left", size, bytes_.size() - at_));
    text_ = bytes_.substr(at_, size);
    at_ += size;
    return true;
}

std::string_view ProtoReader::text() const {
    if (wire_ != kBytes)
        refuse(fmt::format("field {} should be text", field_));
    return text_;
}

ProtoReader ProtoReader::message() const {
    return ProtoReader(text(), file_, offset_ + at_ - text_.size());
}

std::int32_t ProtoReader::integer() const {
    if (wire_ != kVarint)
        refuse(fmt::format("field {} should be a number", field_));
    return static_cast<std::int32_t>(static_cast<std::uint32_t>(value_));
}

float ProtoReader::number() const {
    if (wire_ != kFour)
        refuse(fmt::format("field {} should be a float", field_));
    std::uint32_t bits = 0;
    std::memcpy(&bits, text_.data(), 4);
    return std::bit_cast<float>(bits);
}

}  // namespace stillroom::lm
