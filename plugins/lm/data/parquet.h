#pragma once

#include "plugins/lm/data/parquet_footer.h"
#include "plugins/lm/data/parquet_values.h"

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom::lm {

// Parquet files, read a page at a time: a file of any size needs the memory of its footer and of
// one page for each column that is read. Own code, since nothing else in this program would need
// Arrow's libraries, and since these files come from strangers: every size is checked before
// anything is allocated for it.
//
// Read: BOOLEAN, INT32, INT64, FLOAT, DOUBLE, BYTE_ARRAY, nulls, structs, lists (not lists of
// lists); pages v1 and v2; PLAIN, dictionary, RLE and the DELTA encodings; no compression, snappy,
// gzip, zstd. Refused by name: LZO, Brotli, LZ4, INT96, FIXED_LEN_BYTE_ARRAY, BYTE_STREAM_SPLIT,
// encrypted files. Limits: a page of 1 GiB and 2^27 values, a footer of 64 MiB, groups 8 deep, a
// list of 2^22 items and 1 GiB.

class STILLROOM_API ParquetFile {
public:
    /// Reads the footer. Throws Error (exit 3) naming the file and what is wrong.
    static ParquetFile open(const std::filesystem::path& path);

    const std::filesystem::path& path() const { return file_->path(); }
    std::int64_t rows() const { return footer_->rows; }
    const std::vector<ParquetColumn>& columns() const { return footer_->columns; }
    bool has(std::string_view name) const;

    /// By its dotted name, "train.question", with or without what makes a list ("choices" is
    /// "choices.list.element"). Throws Error (exit 3) with the names that there are.
    const ParquetColumn& column(std::string_view name) const;

private:
    friend class ParquetReader;

    std::shared_ptr<const MappedFile> file_;
    std::shared_ptr<const ParquetFooter> footer_;
};

/// One column, row by row from the first:
///
///     ParquetReader texts(ParquetFile::open(path), "text", ParquetColumn::Kind::text);
///     while (texts.next())
///         if (!texts.is_null())
///             use(texts.text());
///
/// Several columns: a reader each, moved together. A reader knows its file; a file may have many.
class STILLROOM_API ParquetReader {
public:
    /// Throws Error (exit 3) if there is no such column, if it holds another kind, or cannot be
    /// read. Pages are checked when their turn comes: the same Error then, with the row.
    ParquetReader(const ParquetFile& file, std::string_view name, ParquetColumn::Kind kind);
    ~ParquetReader();
    ParquetReader(ParquetReader&&) noexcept;
    ParquetReader& operator=(ParquetReader&&) noexcept;

    /// To the next row; false behind the last. What the row before had is gone then.
    bool next();
    std::int64_t row() const;  ///< from 0

    /// No value, or no list.
    bool is_null() const;
    /// Of a column that is no list, and whose value is not null.
    std::string_view text() const;
    std::int64_t integer() const;
    double real() const;

    /// Those of the row's list, none where it is null; of another column its one value.
    std::span<const ParquetValue> items() const;

private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace stillroom::lm
