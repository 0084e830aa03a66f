#include "plugins/data/text_blocks.h"

#include "engine/base/error.h"
#include "engine/base/units.h"
#include "plugins/lm/data/line_blocks.h"
#include "plugins/lm/data/parquet.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace stillroom::data {

/// The blocks of one file.
class TextBlocks::Reader {
public:
    virtual ~Reader() = default;
    /// Fills bytes, fault and end.offset.
    virtual bool next(TextBlock& block) = 0;
    virtual std::uint64_t taken() const = 0;
};

class TextBlocks::Lines final : public TextBlocks::Reader {
public:
    Lines(const lm::TextFile& file, std::uint64_t offset)
        : stream_(lm::open_unpacked(file.path)),
          lines_(*stream_),
          offset_(offset) {
        stream_->skip(offset);
    }

    bool next(TextBlock& block) override {
        if (!lines_.next(block.bytes))
            return false;
        offset_ += block.bytes.size();
        block.end.offset = offset_;
        if (lines_.too_long())
            block.fault = fmt::format("this line is longer than {}", size_text(lm::kLongestLine));
        return true;
    }
    std::uint64_t taken() const override { return stream_->taken(); }

private:
    std::unique_ptr<lm::ByteStream> stream_;
    lm::LineBlocks lines_;
    std::uint64_t offset_;
};

/// A file that is one document.
class TextBlocks::Document final : public TextBlocks::Reader {
public:
    Document(const lm::TextFile& file, std::uint64_t offset)
        : stream_(lm::open_unpacked(file.path)),
          done_(offset > 0) {}

    bool next(TextBlock& block) override {
        if (std::exchange(done_, true))
            return false;
        constexpr std::size_t kPiece = std::size_t{4} << 20;
        block.bytes.clear();
        std::size_t count = kPiece;
        while (count == kPiece && block.bytes.size() <= kLargestDocument) {
            std::size_t begin = block.bytes.size();
            block.bytes.resize(begin + kPiece);
            count = stream_->read({block.bytes.data() + begin, kPiece});
            block.bytes.resize(begin + count);
        }
        block.end.offset = block.bytes.size() + 1;  // an empty one has been read too
        if (block.bytes.size() > kLargestDocument)
            block.fault = fmt::format("this text, one document, is larger than {}",
                                      size_text(kLargestDocument));
        return true;
    }
    std::uint64_t taken() const override { return stream_->taken(); }

private:
    std::unique_ptr<lm::ByteStream> stream_;
    bool done_;
};

/// String columns of a Parquet file, side by side.
class TextBlocks::Columns final : public TextBlocks::Reader {
public:
    Columns(const lm::TextFile& file, const std::vector<std::string>& keys, std::uint64_t row)
        : file_(lm::ParquetFile::open(file.path)),
          size_(file.size) {
        for (const std::string& key : keys)
            columns_.emplace_back(file_, key, lm::ParquetColumn::Kind::text);
        while (row_ < row && next_row())
            continue;
    }

    bool next(TextBlock& block) override {
        constexpr std::size_t kBlock = std::size_t{1} << 20;
        block.bytes.clear();
        block.ends.clear();
        while (block.bytes.size() < kBlock && next_row())
            for (const lm::ParquetReader& column : columns_) {
                if (!column.is_null())
                    block.bytes += column.text();
                block.ends.push_back(column.is_null() ? TextBlock::kNull : block.bytes.size());
            }
        block.end.offset = row_;
        return !block.ends.empty();
    }
    std::uint64_t taken() const override {
        auto rows = static_cast<std::uint64_t>(std::max<std::int64_t>(file_.rows(), 1));
        return size_ / rows * row_;
    }

private:
    bool next_row() {
        std::size_t there = 0;
        for (lm::ParquetReader& column : columns_)
            there += column.next();
        row_ += there == columns_.size();
        return there == columns_.size();
    }

    lm::ParquetFile file_;
    std::uint64_t size_;
    std::vector<lm::ParquetReader> columns_;
    std::uint64_t row_ = 0;
};

TextBlocks::TextBlocks(std::vector<lm::TextFile> files,
                       std::vector<std::string> keys,
                       TextPlace from)
    : files_(std::move(files)),
      keys_(std::move(keys)),
      at_(from) {
    for (std::size_t i = 0; i < std::min(at_.file, files_.size()); ++i)
        before_ += files_[i].size;
}

TextBlocks::~TextBlocks() = default;

void TextBlocks::open() {
    const lm::TextFile& file = files_[at_.file];
    if (file.kind == lm::TextKind::text)
        reader_ = std::make_unique<Document>(file, at_.offset);
    else if (file.kind == lm::TextKind::parquet)
        reader_ = std::make_unique<Columns>(file, keys_, at_.offset);
    else
        reader_ = std::make_unique<Lines>(file, at_.offset);
}

bool TextBlocks::next(TextBlock& block) {
    for (; at_.file < files_.size(); before_ += files_[at_.file].size, at_ = {at_.file + 1, 0}) {
        if (!reader_)
            open();
        block.fault.clear();
        if (reader_->next(block)) {
            block.file = block.end.file = at_.file;
            block.first = at_.offset == 0;
            at_ = block.end;
            block.taken = before_ + std::min(reader_->taken(), files_[at_.file].size);
            return true;
        }
        reader_.reset();
    }
    return false;
}

}  // namespace stillroom::data
