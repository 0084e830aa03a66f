#include "plugins/lm/data/indexed_writer.h"

#include "engine/base/durable.h"
#include "engine/base/error.h"

#include <fmt/format.h>

#include <cstring>
#include <limits>

namespace stillroom::lm {
namespace fs = std::filesystem;
namespace {

constexpr char kMagic[] = "MMIDIDX\0";  // and the NUL that C adds: nine bytes
constexpr std::uint64_t kVersion = 1;
constexpr std::int64_t kFewIds = 65500;
constexpr std::size_t kPiece = std::size_t{1} << 20;  // bytes gathered for a write

fs::path with_ending(fs::path prefix, const char* ending) {
    prefix += ending;
    return prefix;
}

std::int64_t most_of(TokenType type) {
    switch (type) {
        case TokenType::u8:
            return std::numeric_limits<std::uint8_t>::max();
        case TokenType::i8:
            return std::numeric_limits<std::int8_t>::max();
        case TokenType::i16:
            return std::numeric_limits<std::int16_t>::max();
        case TokenType::u16:
            return std::numeric_limits<std::uint16_t>::max();
        default:
            return std::numeric_limits<std::int32_t>::max();
    }
}

/// Little-endian numbers, gathered into writes of a fair size.
class Numbers {
public:
    explicit Numbers(FileSink& sink) : sink_(sink) { piece_.reserve(kPiece + 64); }

    void bytes(const void* from, std::size_t count) {
        auto begin = static_cast<const std::byte*>(from);
        piece_.insert(piece_.end(), begin, begin + count);
        if (piece_.size() >= kPiece)
            flush();
    }
    template <class T>
    void one(T value) {
        bytes(&value, sizeof value);
    }
    void flush() {
        sink_.write(piece_);
        piece_.clear();
    }

private:
    FileSink& sink_;
    std::vector<std::byte> piece_;
};

}  // namespace

TokenType token_type_for(std::int64_t vocabulary) {
    return vocabulary < kFewIds ? TokenType::u16 : TokenType::i32;
}

IndexedWriter::IndexedWriter(MakeSink make, RunContext* context, fs::path prefix, TokenType type)
    : make_(make),
      context_(context),
      prefix_(std::move(prefix)),
      type_(type) {
    fs::path bin = with_ending(prefix_, ".bin");
    bin_ = make_(context_, bin, bin);
}

IndexedWriter::IndexedWriter(RunContext& context, fs::path prefix, TokenType type)
    : IndexedWriter(
          [](RunContext* of, const fs::path& path, const fs::path&) {
              return stage_sink(*of, path);
          },
          &context,
          std::move(prefix),
          type) {}

IndexedWriter::IndexedWriter(fs::path prefix, TokenType type)
    : IndexedWriter(
          [](RunContext*, const fs::path& path, const fs::path& told) {
              return plain_sink(path, told);
          },
          nullptr,
          std::move(prefix),
          type) {}

IndexedWriter::~IndexedWriter() = default;
IndexedWriter::IndexedWriter(IndexedWriter&&) noexcept = default;
IndexedWriter& IndexedWriter::operator=(IndexedWriter&&) noexcept = default;

std::int64_t IndexedWriter::documents() const {
    return static_cast<std::int64_t>(bounds_.empty() ? lengths_.size() : bounds_.size() - 1);
}

void IndexedWriter::append(std::span<const std::uint32_t> ids) {
    if (ids.size() > static_cast<std::size_t>(std::numeric_limits<std::int32_t>::max()))
        throw Error({},
                    fmt::format("a document of {} tokens is more than an index holds", ids.size()))
            .exit_code(kExitBadInput);
    auto each = static_cast<std::size_t>(bytes_of(type_));
    const std::int64_t most = most_of(type_);
    piece_.resize(ids.size() * each);
    for (std::size_t i = 0; i < ids.size(); ++i) {
        if (ids[i] > most)
            throw Error({},
                        fmt::format("{}: token {} of document {} is {}, {} bytes hold {} at most",
                                    prefix_.string(),
                                    i,
                                    documents(),
                                    ids[i],
                                    each,
                                    most))
                .exit_code(kExitBadInput);
        std::uint64_t wide = ids[i];
        std::memcpy(piece_.data() + i * each, &wide, each);  // little-endian
    }
    bin_->write(piece_);
    lengths_.push_back(static_cast<std::int32_t>(ids.size()));
    tokens_ += static_cast<std::int64_t>(ids.size());
}

void IndexedWriter::add_document(std::span<const std::uint32_t> ids) {
    append(ids);
    if (!bounds_.empty())
        end_document();
}

void IndexedWriter::add_sequence(std::span<const std::uint32_t> ids) {
    split_bounds();
    append(ids);
}

void IndexedWriter::end_document() {
    split_bounds();
    bounds_.push_back(static_cast<std::int64_t>(lengths_.size()));
}

void IndexedWriter::add_documents(std::span<const std::int32_t> lengths,
                                  std::span<const std::byte> tokens) {
    std::int64_t sum = 0;
    for (std::int32_t length : lengths)
        sum += length;
    auto bytes = static_cast<std::uint64_t>(sum) * static_cast<std::uint64_t>(bytes_of(type_));
    if (bytes != tokens.size())
        throw Error({},
                    fmt::format("{}: documents of {} bytes came with {} bytes of tokens",
                                prefix_.string(),
                                bytes,
                                tokens.size()))
            .exit_code(kExitInternal);
    bin_->write(tokens);
    if (!bounds_.empty())
        for (std::size_t i = 0; i < lengths.size(); ++i)
            bounds_.push_back(static_cast<std::int64_t>(lengths_.size() + i + 1));
    lengths_.insert(lengths_.end(), lengths.begin(), lengths.end());
    tokens_ += sum;
}

/// From here on documents have bounds of their own.
void IndexedWriter::split_bounds() {
    if (!bounds_.empty())
        return;
    for (std::size_t i = 0; i <= lengths_.size(); ++i)
        bounds_.push_back(static_cast<std::int64_t>(i));
}

void IndexedWriter::close() {
    bin_->close();
    write_index();
}

void write_index(FileSink& sink,
                 TokenType type,
                 std::span<const std::int32_t> lengths,
                 std::span<const std::int64_t> bounds) {
    Numbers out(sink);
    std::size_t documents = bounds.empty() ? lengths.size() : bounds.size() - 1;
    out.bytes(kMagic, sizeof kMagic);
    out.one(kVersion);
    out.one(static_cast<std::uint8_t>(type));
    out.one(static_cast<std::uint64_t>(lengths.size()));
    out.one(static_cast<std::uint64_t>(documents + 1));
    for (std::int32_t length : lengths)
        out.one(length);
    std::int64_t at = 0;
    for (std::int32_t length : lengths) {
        out.one(at);
        at += std::int64_t{length} * bytes_of(type);
    }
    for (std::size_t i = 0; i <= documents; ++i)
        out.one(bounds.empty() ? static_cast<std::int64_t>(i) : bounds[i]);
    out.flush();
}

void IndexedWriter::write_index() {
    fs::path index = with_ending(prefix_, ".idx");
    fs::path passing = with_ending(index, ".tmp");
    // A stage's output has its name as a whole.
    std::unique_ptr<FileSink> sink = make_(context_, context_ ? index : passing, index);
    lm::write_index(*sink, type_, lengths_, bounds_);
    sink->close();
    if (!context_) {
        rename_path(passing, index);
        sync_folder(index.parent_path().empty() ? fs::path(".") : index.parent_path());
    }
}

}  // namespace stillroom::lm
