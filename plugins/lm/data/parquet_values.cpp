#include "plugins/lm/data/parquet_values.h"

#include <fmt/format.h>

#include <cstring>

namespace stillroom::lm {
namespace {

constexpr std::uint64_t kMostMade = std::uint64_t{1} << 30;

/// Encodings by the format's numbers.
enum Encoding {
    kPlain = 0,
    kPlainDictionary = 2,
    kRle = 3,
    kBitPacked = 4,
    kDelta = 5,
    kDeltaLength = 6,
    kDeltaText = 7,
    kDictionary = 8,
    kByteStreamSplit = 9
};

template <class T>
T read(std::span<const std::byte> bytes) {
    T value{};
    std::memcpy(&value, bytes.data(), sizeof value);
    return value;
}

std::size_t width_of(ParquetType type) {
    switch (type) {
        case ParquetType::int32:
        case ParquetType::float32:
            return 4;
        default:
            return 8;
    }
}

ParquetValue fixed(ParquetType type, bool is_unsigned, std::span<const std::byte> bytes) {
    ParquetValue value;
    switch (type) {
        case ParquetType::int32:
            value.integer = is_unsigned ? std::int64_t{read<std::uint32_t>(bytes)}
                                        : std::int64_t{read<std::int32_t>(bytes)};
            break;
        case ParquetType::int64:
            value.integer = read<std::int64_t>(bytes);
            break;
        case ParquetType::float32:
            value.real = static_cast<double>(read<float>(bytes));
            break;
        default:
            value.real = read<double>(bytes);
            break;
    }
    return value;
}

std::string_view as_text(std::span<const std::byte> bytes) {
    return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

[[noreturn]] void too_early() {
    throw BadBytes{"values that end too early"};
}

}  // namespace

ParquetDictionary::ParquetDictionary(const ParquetColumn& column,
                                     std::string page,
                                     std::int64_t count)
    : column_(column),
      page_(std::move(page)) {
    if (column.type == ParquetType::boolean)
        throw BadBytes{"a dictionary of booleans"};
    std::size_t least = column.type == ParquetType::bytes ? 4 : width_of(column.type);
    if (count < 0 || static_cast<std::uint64_t>(count) > page_.size() / least)
        throw BadBytes{fmt::format("a dictionary of {} values in {} bytes", count, page_.size())};
    count_ = static_cast<std::size_t>(count);
    if (column.type != ParquetType::bytes)
        return;
    texts_.reserve(count_);
    std::size_t at = 0;
    for (std::size_t i = 0; i < count_; ++i) {
        std::uint32_t length = 0;
        if (page_.size() - at < sizeof length)
            too_early();
        std::memcpy(&length, page_.data() + at, sizeof length);
        texts_.push_back(static_cast<std::uint32_t>(at));
        at += sizeof length;
        if (length > page_.size() - at)
            too_early();
        at += length;
    }
}

ParquetValue ParquetDictionary::at(std::uint32_t index) const {
    if (index >= count_)
        throw BadBytes{fmt::format("value {} of a dictionary of {}", index, count_)};
    if (column_.type != ParquetType::bytes) {
        std::size_t width = width_of(column_.type);
        return fixed(column_.type,
                     column_.is_unsigned,
                     std::as_bytes(std::span(page_).subspan(index * width, width)));
    }
    std::uint32_t length = 0;
    std::memcpy(&length, page_.data() + texts_[index], sizeof length);
    ParquetValue value;
    value.text = {page_.data() + texts_[index] + sizeof length, length};
    return value;
}

ParquetValues::ParquetValues(const ParquetColumn& column,
                             int encoding,
                             std::span<const std::byte> bytes,
                             const ParquetDictionary* dictionary)
    : kind_(column.kind),
      type_(column.type),
      is_unsigned_(column.is_unsigned),
      bytes_(bytes),
      dictionary_(dictionary) {
    bool whole = kind_ == ParquetColumn::Kind::integer;
    bool text = kind_ == ParquetColumn::Kind::text;
    if (encoding == kPlain) {
        way_ = Way::plain;
    } else if (encoding == kPlainDictionary || encoding == kDictionary) {
        way_ = Way::dictionary;
        if (!dictionary_)
            throw BadBytes{"a page that needs a dictionary, and there is none"};
        // No bytes: every value is a null.
        if (!bytes_.empty())
            runs_ = HybridRuns(bytes_.subspan(1), static_cast<int>(bytes_[0]));
    } else if (encoding == kRle && type_ == ParquetType::boolean) {
        way_ = Way::runs;
        auto size = read<std::uint32_t>(take(sizeof(std::uint32_t)));
        runs_ = HybridRuns(take(size), 1);
    } else if (encoding == kDelta && whole) {
        way_ = Way::delta;
        numbers_ = DeltaRuns(bytes_);
    } else if (encoding == kDeltaLength && text) {
        way_ = Way::delta_length;
        numbers_ = DeltaRuns(bytes_);
        at_ = DeltaRuns(bytes_).end();
    } else if (encoding == kDeltaText && text) {
        way_ = Way::delta_text;
        prefixes_ = DeltaRuns(bytes_);
        std::size_t behind = DeltaRuns(bytes_).end();
        numbers_ = DeltaRuns(bytes_.subspan(behind));
        at_ = behind + DeltaRuns(bytes_.subspan(behind)).end();
    } else if (encoding == kByteStreamSplit) {
        throw BadBytes{"values in BYTE_STREAM_SPLIT encoding, which is not read"};
    } else {
        throw BadBytes{fmt::format("values in encoding {}, which is none for it", encoding)};
    }
}

std::span<const std::byte> ParquetValues::take(std::size_t count) {
    if (count > bytes_.size() - at_)
        too_early();
    at_ += count;
    return bytes_.subspan(at_ - count, count);
}

ParquetValue ParquetValues::plain() {
    ParquetValue value;
    if (type_ == ParquetType::bytes) {
        auto length = read<std::uint32_t>(take(sizeof(std::uint32_t)));
        value.text = as_text(take(length));
        return value;
    }
    if (type_ == ParquetType::boolean) {
        if (bit_ == 0)
            take(1);
        value.integer = static_cast<int>(bytes_[at_ - 1]) >> bit_ & 1;
        bit_ = (bit_ + 1) % 8;
        return value;
    }
    return fixed(type_, is_unsigned_, take(width_of(type_)));
}

/// The front of the text before, then bytes of its own.
ParquetValue ParquetValues::delta_text() {
    std::int64_t prefix = prefixes_.next();
    std::int64_t length = numbers_.next();
    if (prefix < 0 || static_cast<std::uint64_t>(prefix) > text_.size() || length < 0)
        throw BadBytes{fmt::format(
            "a text of {} bytes and the first {} of one of {}", length, prefix, text_.size())};
    text_.resize(static_cast<std::size_t>(prefix));
    text_ += as_text(take(static_cast<std::size_t>(length)));
    made_ += text_.size();
    if (made_ > kMostMade)
        throw BadBytes{fmt::format("texts of more than {} bytes in a page", kMostMade)};
    ParquetValue value;
    value.text = text_;
    return value;
}

ParquetValue ParquetValues::next() {
    ParquetValue value;
    switch (way_) {
        case Way::plain:
            return plain();
        case Way::dictionary:
            return dictionary_->at(runs_.next());
        case Way::runs:
            value.integer = runs_.next();
            return value;
        case Way::delta:
            value.integer = numbers_.next();
            if (type_ == ParquetType::int32)
                value.integer = is_unsigned_
                                    ? std::int64_t{static_cast<std::uint32_t>(value.integer)}
                                    : std::int64_t{static_cast<std::int32_t>(value.integer)};
            return value;
        case Way::delta_length: {
            std::int64_t length = numbers_.next();
            if (length < 0)
                throw BadBytes{fmt::format("a text of {} bytes", length)};
            value.text = as_text(take(static_cast<std::size_t>(length)));
            return value;
        }
        case Way::delta_text:
            return delta_text();
    }
    return value;
}

}  // namespace stillroom::lm
