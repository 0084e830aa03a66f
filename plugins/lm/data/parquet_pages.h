#pragma once

#include "plugins/lm/data/parquet_footer.h"
#include "plugins/lm/data/parquet_values.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

namespace stillroom::lm {

/// A page of values, uncompressed, to be read from front to back.
struct ParquetPage {
    std::shared_ptr<const std::string> bytes;  ///< texts of plain values lie in it
    std::int64_t values = 0;                   ///< nulls and empty lists too
    HybridRuns repetitions, definitions;
    ParquetValues data;
};

/// The pages of a column in a row group, in order. Throws BadBytes.
class ParquetPages {
public:
    /// All outlive it.
    ParquetPages(const MappedFile& file, const ParquetColumn& column, const ParquetChunk& chunk);

    /// Nothing: that was the last one. Texts of dictionaries last as long as this.
    std::optional<ParquetPage> next();

private:
    struct Header;
    Header read_header();
    std::string read_bytes(std::uint64_t count);
    ParquetPage first_version(const Header& header, std::string bytes);
    ParquetPage second_version(const Header& header, std::string bytes);
    void values(const Header& header, ParquetPage& page, std::span<const std::byte> bytes);

    const MappedFile& file_;
    const ParquetColumn& column_;
    const ParquetChunk& chunk_;
    std::uint64_t at_ = 0;   ///< in the chunk
    std::int64_t left_ = 0;  ///< values that are still to come
    bool has_dictionary_ = false;
    ParquetDictionary dictionary_;
};

}  // namespace stillroom::lm
