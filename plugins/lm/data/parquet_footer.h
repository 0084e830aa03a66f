#pragma once

#include "engine/base/api.h"
#include "plugins/lm/weights/mapped_file.h"

#include <cstdint>
#include <string>
#include <vector>

namespace stillroom::lm {

// What stands at the end of a Parquet file: the columns and where their pages lie.

/// Physical types by the format's numbers.
enum class ParquetType : std::uint8_t {
    boolean,
    int32,
    int64,
    int96,
    float32,
    float64,
    bytes,
    fixed_bytes
};

enum class ParquetCodec : std::uint8_t { none, snappy, gzip, lzo, brotli, lz4, zstd, lz4_raw };

/// A column as readers see it.
struct ParquetColumn {
    enum class Kind : std::uint8_t { text, integer, real, boolean, other };

    std::string name;  ///< "choices", "train.question": without what only makes a list
    std::string path;  ///< "choices.list.element": every group on the way
    Kind kind = Kind::other;
    bool list = false;  ///< a row has any number of values

    ParquetType type = ParquetType::bytes;
    bool is_unsigned = false;
    int most_definition = 0;  ///< the level of a value that is there
    int most_repetition = 0;  ///< 0, or 1 in a list; more cannot be read
    int list_definition = 0;  ///< levels below it have no item
};

/// A column's pages in a row group.
struct ParquetChunk {
    std::uint64_t offset = 0, size = 0;
    std::int64_t values = 0;
    int codec = 0;
};

struct ParquetFooter {
    std::int64_t rows = 0;
    std::vector<ParquetColumn> columns;
    struct RowGroup {
        std::int64_t rows = 0;
        std::vector<ParquetChunk> chunks;  ///< one for each column
    };
    std::vector<RowGroup> groups;
};

/// Reads and checks it: every chunk lies inside the file, counts add up. Throws Error (exit 3) with
/// the file and what is wrong. Limits: a footer of 64 MiB, groups 8 deep.
STILLROOM_API ParquetFooter read_parquet_footer(const MappedFile& file);

}  // namespace stillroom::lm
