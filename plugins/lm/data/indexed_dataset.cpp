#include "plugins/lm/data/indexed_dataset.h"

#include "engine/base/error.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>

namespace stillroom::lm {
namespace fs = std::filesystem;
namespace {

constexpr char kMagic[] = "MMIDIDX\0";  // and the NUL that C adds: nine bytes
constexpr std::size_t kHeader = 34;
constexpr std::int64_t kMostTokens = std::int64_t{1} << 56;  ///< times 8 bytes it still fits

[[noreturn]] void refuse(const fs::path& file,
                         const std::string& why,
                         const std::string& hint = {}) {
    Error error({}, fmt::format("{}: {}", file.string(), why));
    error.exit_code(kExitBadInput);
    if (!hint.empty())
        error.hint(hint);
    throw error;
}

fs::path with_suffix(fs::path prefix, std::string_view suffix) {
    if (prefix.extension() == ".idx" || prefix.extension() == ".bin")
        prefix.replace_extension();
    prefix += suffix;
    return prefix;
}

/// What stands in a file, read from front to back; running out of it is an error.
class Cursor {
public:
    explicit Cursor(const MappedFile& file) : file_(file) {}

    template <class T>
    T take() {
        T value{};
        file_.read(move(sizeof(T)), std::as_writable_bytes(std::span(&value, 1)));
        return value;
    }
    template <class T>
    std::vector<T> take(std::uint64_t count) {
        if (count > (file_.size() - at_) / sizeof(T))
            short_of(count * static_cast<double>(sizeof(T)));
        std::vector<T> values(static_cast<std::size_t>(count));
        file_.read(move(count * sizeof(T)), std::as_writable_bytes(std::span(values)));
        return values;
    }
    std::uint64_t left() const { return file_.size() - at_; }

private:
    std::uint64_t move(std::uint64_t bytes) {
        if (bytes > left())
            short_of(static_cast<double>(bytes));
        at_ += bytes;
        return at_ - bytes;
    }
    [[noreturn]] void short_of(double bytes) const {
        refuse(file_.path(),
               fmt::format("it ends at byte {}, {:.0f} more were announced at byte {}",
                           file_.size(),
                           bytes,
                           at_),
               "it was cut; copy it again");
    }

    const MappedFile& file_;
    std::uint64_t at_ = 0;
};

struct Header {
    TokenType type;
    std::uint64_t sequences, bounds;
};

Header read_header(Cursor& cursor, const fs::path& file) {
    if (cursor.left() < kHeader)
        refuse(file,
               fmt::format("{} bytes are no index, which has {} at least", cursor.left(), kHeader));
    char magic[9];
    for (char& c : magic)
        c = cursor.take<char>();
    if (std::memcmp(magic, kMagic, sizeof magic) != 0)
        refuse(file, "it does not begin as an index of Megatron does");
    auto version = cursor.take<std::uint64_t>();
    if (version != 1)
        refuse(file, fmt::format("version {} is not known, only 1", version));
    auto type = cursor.take<std::uint8_t>();
    if (type < 1 || type > 8)
        refuse(file, fmt::format("token type {} is not known, only 1 to 8", type));
    Header header{static_cast<TokenType>(type), cursor.take<std::uint64_t>(), 0};
    header.bounds = cursor.take<std::uint64_t>();
    if (header.type == TokenType::f32 || header.type == TokenType::f64)
        refuse(file, "its tokens are floating point numbers");
    return header;
}

/// Running sums of the lengths; the byte offsets must say the same.
std::vector<std::int64_t> read_ends(Cursor& cursor, const Header& header, const fs::path& file) {
    auto lengths = cursor.take<std::int32_t>(header.sequences);
    auto offsets = cursor.take<std::int64_t>(header.sequences);
    std::vector<std::int64_t> ends;
    ends.reserve(lengths.size());
    std::int64_t sum = 0;
    for (std::size_t i = 0; i < lengths.size(); ++i) {
        if (lengths[i] < 0)
            refuse(file, fmt::format("sequence {} has {} tokens", i, lengths[i]));
        if (offsets[i] != sum * bytes_of(header.type))
            refuse(file,
                   fmt::format("sequence {} begins at byte {}, the ones before it end at {}",
                               i,
                               offsets[i],
                               sum * bytes_of(header.type)));
        sum += lengths[i];
        if (sum > kMostTokens)
            refuse(file, "it announces more tokens than any file holds");
        ends.push_back(sum);
    }
    return ends;
}

void check_bounds(const std::vector<std::int64_t>& bounds,
                  std::uint64_t sequences,
                  const fs::path& file) {
    if (bounds.empty() || bounds.front() != 0)
        refuse(file, "its first document does not begin with the first sequence");
    for (std::size_t i = 1; i < bounds.size(); ++i)
        if (bounds[i] < bounds[i - 1])
            refuse(file, fmt::format("document {} ends before it begins", i - 1));
    if (static_cast<std::uint64_t>(bounds.back()) != sequences)
        refuse(file,
               fmt::format("its documents end with sequence {} of {}", bounds.back(), sequences));
}

template <class T>
void widen(std::span<const std::byte> bytes,
           std::span<std::int32_t> into,
           std::int64_t vocab,
           std::size_t& bad) {
    for (std::size_t i = 0; i < into.size(); ++i) {
        T value{};
        std::memcpy(&value, bytes.data() + i * sizeof(T), sizeof(T));
        auto token = static_cast<std::int64_t>(value);
        if (token < 0 || token >= vocab)
            bad = std::min(bad, i);
        into[i] = static_cast<std::int32_t>(token);
    }
}

std::int64_t value_at(std::span<const std::byte> bytes, TokenType type, std::size_t index) {
    std::int64_t value = 0;
    auto take = [&]<class T>(T one) {
        std::memcpy(&one, bytes.data() + index * sizeof(T), sizeof(T));
        value = static_cast<std::int64_t>(one);
    };
    switch (type) {
        case TokenType::u8:
            take(std::uint8_t{});
            break;
        case TokenType::i8:
            take(std::int8_t{});
            break;
        case TokenType::i16:
            take(std::int16_t{});
            break;
        case TokenType::u16:
            take(std::uint16_t{});
            break;
        case TokenType::i32:
            take(std::int32_t{});
            break;
        default:
            take(std::int64_t{});
            break;
    }
    return value;
}

}  // namespace

int bytes_of(TokenType type) {
    switch (type) {
        case TokenType::u8:
        case TokenType::i8:
            return 1;
        case TokenType::i16:
        case TokenType::u16:
            return 2;
        case TokenType::i32:
        case TokenType::f32:
            return 4;
        case TokenType::i64:
        case TokenType::f64:
            return 8;
    }
    return 8;
}

IndexSummary summarize_index(const fs::path& prefix) {
    fs::path index = with_suffix(prefix, ".idx");
    MappedFile file = MappedFile::open(index);
    Cursor cursor(file);
    Header header = read_header(cursor, index);
    MappedFile bin = MappedFile::open(with_suffix(prefix, ".bin"));
    auto each = static_cast<std::uint64_t>(bytes_of(header.type));
    if (bin.size() % each != 0)
        refuse(bin.path(), fmt::format("{} bytes are no whole tokens of {}", bin.size(), each));
    constexpr std::uint64_t kASequence = sizeof(std::int32_t) + sizeof(std::int64_t);
    if (header.bounds == 0 || header.sequences > cursor.left() / kASequence ||
        header.bounds > (cursor.left() - header.sequences * kASequence) / sizeof(std::int64_t))
        refuse(index,
               fmt::format("{} bytes are no index of {} sequences and {} documents",
                           file.size(),
                           header.sequences,
                           header.bounds - 1),
               "it was cut; copy it again");
    return {header.type,
            static_cast<std::int64_t>(header.sequences),
            static_cast<std::int64_t>(header.bounds) - 1,
            static_cast<std::int64_t>(bin.size() / each)};
}

IndexedDataset IndexedDataset::open(const fs::path& prefix) {
    fs::path index = with_suffix(prefix, ".idx");
    MappedFile file = MappedFile::open(index);
    Cursor cursor(file);
    Header header = read_header(cursor, index);
    IndexedDataset data(MappedFile::open(with_suffix(prefix, ".bin")));
    data.prefix_ = with_suffix(prefix, "");
    data.type_ = header.type;
    data.ends_ = read_ends(cursor, header, index);
    data.bounds_ = cursor.take<std::int64_t>(header.bounds);
    check_bounds(data.bounds_, header.sequences, index);
    // Multimodal files have a byte more for each sequence.
    if (cursor.left() != 0 && cursor.left() != header.sequences)
        refuse(index, fmt::format("{} bytes follow the last document", cursor.left()));
    auto bytes = static_cast<std::uint64_t>(data.tokens()) *
                 static_cast<std::uint64_t>(bytes_of(header.type));
    if (bytes != data.bin_.size())
        refuse(data.bin_.path(),
               fmt::format("it is {} bytes, its index needs {}", data.bin_.size(), bytes),
               "one of the two is cut, or belongs to another dataset");
    return data;
}

void IndexedDataset::read(std::int64_t first,
                          std::span<std::int32_t> into,
                          std::int64_t vocab) const {
    if (first < 0 || first > tokens() || static_cast<std::int64_t>(into.size()) > tokens() - first)
        refuse(bin_.path(),
               fmt::format("tokens {} to {} are asked for, it has {}",
                           first,
                           first + static_cast<std::int64_t>(into.size()),
                           tokens()));
    auto each = static_cast<std::uint64_t>(bytes_of(type_));
    std::vector<std::byte> bytes(into.size() * each);
    bin_.read(static_cast<std::uint64_t>(first) * each, bytes);
    vocab = std::min<std::int64_t>(vocab, std::numeric_limits<std::int32_t>::max());
    std::size_t bad = into.size();
    switch (type_) {
        case TokenType::u8:
            widen<std::uint8_t>(bytes, into, vocab, bad);
            break;
        case TokenType::i8:
            widen<std::int8_t>(bytes, into, vocab, bad);
            break;
        case TokenType::i16:
            widen<std::int16_t>(bytes, into, vocab, bad);
            break;
        case TokenType::u16:
            widen<std::uint16_t>(bytes, into, vocab, bad);
            break;
        case TokenType::i32:
            widen<std::int32_t>(bytes, into, vocab, bad);
            break;
        default:
            widen<std::int64_t>(bytes, into, vocab, bad);
            break;
    }
    if (bad < into.size())
        refuse(bin_.path(),
               fmt::format("token {} is {}, the vocabulary has {}",
                           first + static_cast<std::int64_t>(bad),
                           value_at(bytes, type_, bad),
                           vocab),
               "the data was made with another tokenizer");
}

}  // namespace stillroom::lm
