#include "plugins/lm/train/event_file.h"

#include "engine/base/durable.h"
#include "engine/base/error.h"
#include "engine/base/host.h"

#include <fmt/format.h>

#include <array>
#include <bit>

namespace stillroom::lm {
namespace {

constexpr std::array<std::uint32_t, 256> kTable = [] {
    std::array<std::uint32_t, 256> table{};
    for (std::uint32_t i = 0; i < 256; i++) {
        table[i] = i;
        for (int bit = 0; bit < 8; bit++)
            table[i] = table[i] >> 1 ^ (table[i] & 1 ? 0x82f63b78U : 0U);
    }
    return table;
}();

// Fields of an event.
constexpr int kTime = 1, kStep = 2, kVersion = 3, kSummary = 5, kSession = 7;
constexpr std::uint64_t kSessionStart = 1;  // a status: from this step on all is new

/// The low bytes of a number, lowest first.
std::string little_endian(std::uint64_t value, int bytes) {
    std::string out;
    for (int i = 0; i < bytes; i++)
        out += static_cast<char>(value >> 8 * i & 0xff);
    return out;
}

// What protocol buffers write; a field's key is its number and its wire type.

std::string varint(std::uint64_t value) {
    std::string out;
    for (; value >= 0x80; value >>= 7)
        out += static_cast<char>((value & 0x7f) | 0x80);
    return out += static_cast<char>(value);
}

std::string number_field(int field, std::uint64_t value) {
    return varint(static_cast<std::uint64_t>(field) << 3) + varint(value);
}

std::string bytes_field(int field, std::string_view bytes) {
    return varint(static_cast<std::uint64_t>(field) << 3 | 2) + varint(bytes.size()) +
           std::string(bytes);
}

std::string double_field(int field, double value) {
    return varint(static_cast<std::uint64_t>(field) << 3 | 1) +
           little_endian(std::bit_cast<std::uint64_t>(value), 8);
}

std::string float_field(int field, float value) {
    return varint(static_cast<std::uint64_t>(field) << 3 | 5) +
           little_endian(std::bit_cast<std::uint32_t>(value), 4);
}

/// As records have it: a sum of bytes that hold a sum themselves must not look right by chance.
std::string masked_crc(std::string_view bytes) {
    return little_endian(std::rotr(crc32c(bytes), 15) + 0xa282ead8U, 4);
}

}  // namespace

std::uint32_t crc32c(std::string_view bytes) {
    std::uint32_t crc = ~0U;
    for (char byte : bytes)
        crc = crc >> 8 ^ kTable[(crc ^ static_cast<unsigned char>(byte)) & 0xff];
    return ~crc;
}

EventFile::EventFile(const std::filesystem::path& folder,
                     double now,
                     std::optional<std::int64_t> again_from) {
    try {
        make_folders(folder);
        for (int n = 0;; n++) {
            path_ = folder / fmt::format("events.out.tfevents.{}.{}.{}.{}",
                                         static_cast<std::int64_t>(now),
                                         host_name(),
                                         ::getpid(),
                                         n);
            if (!std::filesystem::exists(path_))
                break;
        }
        file_ = make_new_file(path_);
    } catch (const std::exception& problem) {
        trouble_ = problem.what();
        return;
    }
    std::string begin = double_field(kTime, now);
    if (!again_from) {
        write(begin + bytes_field(kVersion, "brain.Event:2"));
        return;
    }
    begin += number_field(kStep, static_cast<std::uint64_t>(*again_from));
    write(begin + bytes_field(kVersion, "brain.Event:2"));
    write(begin + bytes_field(kSession, number_field(1, kSessionStart)));
}

void EventFile::add(const std::vector<Scalar>& values, std::int64_t step, double now) {
    std::string summary;
    for (const Scalar& scalar : values)
        summary += bytes_field(1, bytes_field(1, scalar.tag) + float_field(2, scalar.value));
    write(double_field(kTime, now) + number_field(kStep, static_cast<std::uint64_t>(step)) +
          bytes_field(kSummary, summary));
}

void EventFile::write(const std::string& event) {
    if (!trouble_.empty())
        return;
    std::string size = little_endian(event.size(), 8);
    try {
        write_all(file_, size + masked_crc(size) + event + masked_crc(event), path_);
    } catch (const Error& problem) {
        trouble_ = problem.what();
    }
}

}  // namespace stillroom::lm
