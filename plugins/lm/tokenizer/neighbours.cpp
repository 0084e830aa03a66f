#include "plugins/lm/tokenizer/neighbours.h"

#include "plugins/lm/tokenizer/unicode.h"

#include <algorithm>
#include <bit>

namespace stillroom::lm {
namespace {

bool continues(char byte) {
    return (byte & 0xC0) == 0x80;
}

std::size_t length_of(char lead) {
    auto byte = static_cast<unsigned char>(lead);
    return byte < 0x80 ? 1 : byte < 0xE0 ? 2 : byte < 0xF0 ? 3 : 4;
}

/// Code points, half open.
struct Range {
    char32_t begin = 0;
    char32_t end = 0;
};

/// The characters that begin with these bytes.
Range with_prefix(std::string_view bytes) {
    std::size_t length = length_of(bytes[0]);
    char32_t lead_bits = static_cast<unsigned char>(bytes[0]) & (0xFFu >> (length + 1));
    Range out{lead_bits, lead_bits + 1};
    for (std::size_t i = 1; i < length; ++i) {
        char32_t bits = i < bytes.size() ? static_cast<unsigned char>(bytes[i]) & 63u : 0;
        out.begin = out.begin << 6 | bits;
        out.end = i < bytes.size() ? out.begin + 1 : out.end << 6;
    }
    if (length == 4)
        out.begin = std::max<char32_t>(out.begin, 0x10000);
    return out;
}

constexpr char32_t kLast = 0x110000;

}  // namespace

int Neighbours::lead_of(char byte) {
    int bits = static_cast<unsigned char>(byte);
    return bits < 0xE0 ? bits & 31 : bits < 0xF0 ? 32 + (bits & 15) : 48 + (bits & 7);
}

void Neighbours::expect(std::size_t characters) {
    std::size_t bits = std::bit_ceil(std::clamp<std::size_t>(characters * 8, 1 << 16, 1 << 22));
    bits_.change([&](auto& own) { own.assign(bits / 64, 0); });
    shift_ = 64 - std::countr_zero(bits);
}

void Neighbours::join(std::uint32_t left, std::uint32_t right) {
    std::uint64_t bit = place_of(left, right);
    bits_.change([&](auto& own) { own[bit >> 6] |= std::uint64_t{1} << (bit & 63); });
}

void Neighbours::write(CompiledWriter& out) const {
    out.add(bits_.all());
    out.add(std::span<const std::uint64_t>(parts_));
}

void Neighbours::read(CompiledReader& in) {
    bits_.see(in.take<std::uint64_t>());
    std::span<const std::uint64_t> parts = in.take<std::uint64_t>();
    in.require(parts.size() == parts_.size() &&
               (bits_.empty() || std::has_single_bit(bits_.size())));
    if (in.fails())
        return;
    std::copy(parts.begin(), parts.end(), parts_.begin());
    shift_ = 64 - std::countr_zero(bits_.size() * 64);
}

void Neighbours::add(std::string_view text) {
    int length = 0;
    char32_t before = code_point(text.data(), length);
    for (auto at = static_cast<std::size_t>(length); at < text.size();
         at += static_cast<std::size_t>(length)) {
        char32_t c = code_point(text.data() + at, length);
        join(kind(before), kind(c));
        before = c;
    }
}

void Neighbours::add_meeting(std::string_view left, std::string_view right) {
    if (!(right[0] & 0x80) || continues(right[0]) || !(left.back() & 0x80))
        return;
    std::size_t begin = left.size() - 1;
    while (begin > 0 && continues(left[begin]))
        --begin;
    left.remove_prefix(begin);
    bool part = continues(left[0]);
    if (part ? left.size() > 3 : length_of(left[0]) != left.size())
        return;  // no text has that
    Range after = with_prefix(right.substr(0, length_of(right[0])));
    if (part && after.end - after.begin > 1) {
        parts_[static_cast<unsigned char>(left.back()) & 63u] |= std::uint64_t{1}
                                                                 << lead_of(right[0]);
        return;
    }
    if (!part) {
        std::uint32_t before = kind(with_prefix(left).begin);
        for (char32_t c = after.begin; c < std::min(after.end, kLast);
             c += c < 0x10000 ? 1 : 0x1000)
            join(before, kind(c));
        return;
    }
    // Every character that ends so.
    char32_t low = 0, step = 1;
    for (char byte : left) {
        low = low << 6 | (static_cast<unsigned char>(byte) & 63u);
        step <<= 6;
    }
    for (char32_t c = low; c < 0x10000; c += step)
        join(kind(c), kind(after.begin));
    for (char32_t c = 0x10000; c < kLast; c += 0x1000)
        join(kind(c), kind(after.begin));
}

}  // namespace stillroom::lm
