#include "plugins/lm/data/parquet_pages.h"

#include "plugins/lm/data/decompress.h"
#include "plugins/lm/data/thrift_reader.h"

#include <fmt/format.h>
#include <zlib.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace stillroom::lm {
namespace {

constexpr std::int64_t kMostPage = std::int64_t{1} << 30;
constexpr std::int64_t kMostValues = std::int64_t{1} << 27;
constexpr std::uint64_t kFewHeader = std::uint64_t{1} << 10;    ///< most headers are shorter
constexpr std::uint64_t kMostHeader = std::uint64_t{16} << 20;  ///< it may quote values
constexpr int kRle = 3;

enum PageType { kData = 0, kIndex = 1, kDictionaryPage = 2, kDataTwo = 3 };

std::span<const std::byte> bytes_of(const std::string& text) {
    return std::as_bytes(std::span(text));
}

/// Levels in front of the values, with their length before them.
HybridRuns levels(std::span<const std::byte>& bytes, int most, int encoding) {
    if (most == 0)
        return {};
    if (encoding != kRle)
        throw BadBytes{fmt::format("levels in encoding {}, only RLE is read", encoding)};
    std::uint32_t size = 0;
    if (bytes.size() < sizeof size)
        throw BadBytes{"levels that end too early"};
    std::memcpy(&size, bytes.data(), sizeof size);
    bytes = bytes.subspan(sizeof size);
    if (size > bytes.size())
        throw BadBytes{fmt::format("levels of {} bytes in {}", size, bytes.size())};
    HybridRuns runs(bytes.first(size), std::bit_width(static_cast<unsigned>(most)));
    bytes = bytes.subspan(size);
    return runs;
}

}  // namespace

struct ParquetPages::Header {
    int type = -1;
    std::int64_t uncompressed = -1, compressed = -1;
    std::optional<std::uint32_t> checksum;
    std::int64_t values = -1;
    int encoding = -1;
    int definition_encoding = kRle, repetition_encoding = kRle;
    std::int64_t definition_bytes = 0, repetition_bytes = 0;  // version 2
    bool is_compressed = true;
};

ParquetPages::ParquetPages(const MappedFile& file,
                           const ParquetColumn& column,
                           const ParquetChunk& chunk)
    : file_(file),
      column_(column),
      chunk_(chunk),
      left_(chunk.values) {}

namespace {

/// A struct of whole numbers and truths by their numbers.
template <class Take>
void sub_header(ThriftReader& in, int type, Take take) {
    in.need(type, ThriftReader::kStruct);
    in.fields(take);
}

}  // namespace

ParquetPages::Header ParquetPages::read_header() {
    std::uint64_t room = chunk_.size - at_;
    for (std::uint64_t window = std::min(kFewHeader, room);;
         window = std::min({window * 8, kMostHeader, room})) {
        std::vector<std::byte> bytes(static_cast<std::size_t>(window));
        file_.read(chunk_.offset + at_, bytes);
        ThriftReader in(bytes);
        Header out;
        try {
            in.fields([&](int id, int type) {
                switch (id) {
                    case 1:
                        out.type = in.small(type);
                        return true;
                    case 2:
                        out.uncompressed = in.small(type);
                        return true;
                    case 3:
                        out.compressed = in.small(type);
                        return true;
                    case 4:
                        out.checksum = static_cast<std::uint32_t>(in.small(type));
                        return true;
                    case 5:
                        sub_header(in, type, [&](int inner, int kind) {
                            switch (inner) {
                                case 1:
                                    out.values = in.small(kind);
                                    return true;
                                case 2:
                                    out.encoding = in.small(kind);
                                    return true;
                                case 3:
                                    out.definition_encoding = in.small(kind);
                                    return true;
                                case 4:
                                    out.repetition_encoding = in.small(kind);
                                    return true;
                                default:
                                    return false;
                            }
                        });
                        return true;
                    case 7:
                        sub_header(in, type, [&](int inner, int kind) {
                            if (inner == 1)
                                out.values = in.small(kind);
                            else if (inner == 2)
                                out.encoding = in.small(kind);
                            else
                                return false;
                            return true;
                        });
                        return true;
                    case 8:
                        sub_header(in, type, [&](int inner, int kind) {
                            switch (inner) {
                                case 1:
                                    out.values = in.small(kind);
                                    return true;
                                case 4:
                                    out.encoding = in.small(kind);
                                    return true;
                                case 5:
                                    out.definition_bytes = in.small(kind);
                                    return true;
                                case 6:
                                    out.repetition_bytes = in.small(kind);
                                    return true;
                                case 7:
                                    out.is_compressed = in.boolean(kind);
                                    return true;
                                default:
                                    return false;
                            }
                        });
                        return true;
                    default:
                        return false;
                }
            });
        } catch (const BadBytes& bad) {
            if (bad.ended && window < std::min(room, kMostHeader))
                continue;
            throw;
        }
        at_ += in.at();
        return out;
    }
}

std::string ParquetPages::read_bytes(std::uint64_t count) {
    std::string bytes(static_cast<std::size_t>(count), '\0');
    file_.read(chunk_.offset + at_, std::as_writable_bytes(std::span(bytes)));
    at_ += count;
    return bytes;
}

std::optional<ParquetPage> ParquetPages::next() {
    while (left_ > 0) {
        if (at_ == chunk_.size)
            throw BadBytes{fmt::format("pages that end {} values too early", left_)};
        Header header = read_header();
        if (header.uncompressed < 0 || header.uncompressed > kMostPage || header.compressed < 0 ||
            header.compressed > kMostPage)
            throw BadBytes{fmt::format("a page of {} bytes that are {} uncompressed, {} can be",
                                       header.compressed,
                                       header.uncompressed,
                                       kMostPage)};
        auto size = static_cast<std::uint64_t>(header.compressed);
        if (size > chunk_.size - at_)
            throw BadBytes{
                fmt::format("a page of {} bytes, the column has {} left", size, chunk_.size - at_)};
        bool is_data = header.type == kData || header.type == kDataTwo;
        if (!is_data && header.type != kDictionaryPage) {
            at_ += size;  // an index, or what a later version adds
            continue;
        }
        if (header.values < 0 || header.values > kMostValues || (is_data && header.values > left_))
            throw BadBytes{fmt::format("a page of {} values, {} are left", header.values, left_)};
        std::string bytes = read_bytes(size);
        if (header.checksum &&
            *header.checksum != crc32_z(0, reinterpret_cast<const Bytef*>(bytes.data()), size))
            throw BadBytes{"a page that its checksum does not fit"};
        if (is_data) {
            left_ -= header.values;
            return header.type == kData ? first_version(header, std::move(bytes))
                                        : second_version(header, std::move(bytes));
        }
        if (has_dictionary_)
            throw BadBytes{"a second dictionary"};
        dictionary_ = ParquetDictionary(
            column_,
            decompress(
                chunk_.codec, bytes_of(bytes), static_cast<std::size_t>(header.uncompressed)),
            header.values);
        has_dictionary_ = true;
    }
    return std::nullopt;
}

void ParquetPages::values(const Header& header,
                          ParquetPage& page,
                          std::span<const std::byte> bytes) {
    page.values = header.values;
    page.data =
        ParquetValues(column_, header.encoding, bytes, has_dictionary_ ? &dictionary_ : nullptr);
}

ParquetPage ParquetPages::first_version(const Header& header, std::string bytes) {
    ParquetPage page;
    page.bytes = std::make_shared<const std::string>(
        decompress(chunk_.codec, bytes_of(bytes), static_cast<std::size_t>(header.uncompressed)));
    std::span<const std::byte> rest = bytes_of(*page.bytes);
    page.repetitions = levels(rest, column_.most_repetition, header.repetition_encoding);
    page.definitions = levels(rest, column_.most_definition, header.definition_encoding);
    values(header, page, rest);
    return page;
}

/// Levels come first and are never compressed.
ParquetPage ParquetPages::second_version(const Header& header, std::string bytes) {
    std::int64_t before = header.repetition_bytes + header.definition_bytes;
    if (header.repetition_bytes < 0 || header.definition_bytes < 0 || before > header.compressed ||
        before > header.uncompressed)
        throw BadBytes{fmt::format("levels of {} and {} bytes in a page of {}",
                                   header.repetition_bytes,
                                   header.definition_bytes,
                                   header.compressed)};
    auto in_front = static_cast<std::size_t>(before);
    std::span<const std::byte> behind = bytes_of(bytes).subspan(in_front);
    std::string data;
    if (header.is_compressed && !behind.empty())
        data = decompress(
            chunk_.codec, behind, static_cast<std::size_t>(header.uncompressed - before));
    else
        data.assign(reinterpret_cast<const char*>(behind.data()), behind.size());
    ParquetPage page;
    bytes.resize(in_front);
    bytes += data;
    page.bytes = std::make_shared<const std::string>(std::move(bytes));
    std::span<const std::byte> whole = bytes_of(*page.bytes);
    auto repetition_size = static_cast<std::size_t>(header.repetition_bytes);
    auto definition_size = static_cast<std::size_t>(header.definition_bytes);
    if (column_.most_repetition > 0)
        page.repetitions =
            HybridRuns(whole.first(repetition_size),
                       std::bit_width(static_cast<unsigned>(column_.most_repetition)));
    if (column_.most_definition > 0)
        page.definitions =
            HybridRuns(whole.subspan(repetition_size, definition_size),
                       std::bit_width(static_cast<unsigned>(column_.most_definition)));
    values(header, page, whole.subspan(in_front));
    return page;
}

}  // namespace stillroom::lm
