#pragma once

#include "plugins/lm/data/parquet_footer.h"
#include "plugins/lm/data/parquet_runs.h"

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom::lm {

/// One value of a column; which member holds it is the column's kind.
struct ParquetValue {
    bool null = false;
    std::int64_t integer = 0;  ///< also a boolean: 0 or 1
    double real = 0;
    std::string_view text;
};

/// The distinct values of a chunk, which pages name by number.
class ParquetDictionary {
public:
    ParquetDictionary() = default;
    ParquetDictionary(const ParquetColumn& column, std::string page, std::int64_t count);

    ParquetValue at(std::uint32_t index) const;

private:
    ParquetColumn column_;
    std::string page_;
    std::vector<std::uint32_t> texts_;  ///< where each begins, its length before it
    std::size_t count_ = 0;
};

/// The values of a page that are there, one after another: nulls have none. Reads no more than
/// the bytes it was given; throws BadBytes.
class ParquetValues {
public:
    ParquetValues() = default;
    /// `bytes` and the dictionary outlive it.
    ParquetValues(const ParquetColumn& column,
                  int encoding,
                  std::span<const std::byte> bytes,
                  const ParquetDictionary* dictionary);

    /// The text of a value is there until the next is asked for.
    ParquetValue next();

private:
    enum class Way : std::uint8_t { plain, dictionary, delta, delta_length, delta_text, runs };

    std::span<const std::byte> take(std::size_t count);
    ParquetValue plain();
    ParquetValue delta_text();

    ParquetColumn::Kind kind_ = ParquetColumn::Kind::other;
    ParquetType type_ = ParquetType::bytes;
    bool is_unsigned_ = false;
    Way way_ = Way::plain;
    std::span<const std::byte> bytes_;
    std::size_t at_ = 0;
    int bit_ = 0;  ///< of a plain boolean
    const ParquetDictionary* dictionary_ = nullptr;
    HybridRuns runs_;
    DeltaRuns numbers_;   ///< values, or lengths of texts
    DeltaRuns prefixes_;  ///< of each text: how much is the one before's
    std::string text_;
    std::uint64_t made_ = 0;  ///< bytes of such texts
};

}  // namespace stillroom::lm
