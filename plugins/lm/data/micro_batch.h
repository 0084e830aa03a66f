#pragma once

#include "plugins/lm/data/samples.h"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace stillroom::lm {

/// What a forward pass takes, as plain numbers. Row by row, `length` tokens each.
struct MicroBatch {
    std::int64_t rows = 0, length = 0;
    std::vector<std::int32_t> inputs;
    std::vector<std::int32_t> labels;     ///< the token to foresee at each place
    std::vector<std::uint8_t> counts;     ///< 1 where the loss counts
    std::vector<std::int32_t> positions;  ///< from 0 in each row, or in each sequence
    /// Where sequences begin that see nothing of each other, and the end of all: "cu_seqlens" over
    /// rows x length tokens. A row is one sequence where attention does not restart.
    std::vector<std::int32_t> starts;

    std::int64_t counted() const;  ///< places where the loss counts
};

/// What a document's end does inside a sample; nothing, in Megatron's defaults.
struct AtDocumentEnd {
    std::optional<std::uint32_t> eod;  ///< ends documents; nothing: no end is seen
    bool reset_positions = false;
    bool reset_attention = false;
    bool mask = false;  ///< no loss where the input is the end
};

/// Micro-batch `index` of a data rank: each turn takes micro_batch samples a rank, in the order of
/// the ranks, so that the order of samples does not depend on how many ranks there are.
struct BatchRequest {
    std::int64_t micro_batch = 1;
    std::int64_t rank = 0, ranks = 1;  ///< among those that read different data
    std::int64_t first_sample = 0;     ///< samples seen before
    std::int64_t vocabulary = 0;       ///< ids are below it
    AtDocumentEnd at_end;
};

/// Whole turns that there are after first_sample.
STILLROOM_API std::int64_t count_batches(std::int64_t samples, const BatchRequest& request);

/// Throws Error (exit 3) past the last sample, or for an id out of the vocabulary.
STILLROOM_API MicroBatch micro_batch(const Samples& samples,
                                     const BatchRequest& request,
                                     std::int64_t index);

/// A row of its own length: a document, or prompt and answer.
struct TextRow {
    std::span<const std::int32_t> ids;
    std::span<const std::uint8_t> supervised;  ///< one for each id; empty: all
};

/// Rows beside each other, each filled with `padding` at its end; labels are the row's next ids,
/// and nothing is foreseen across its end. `length` 0: that of the longest. Longer rows are cut.
STILLROOM_API MicroBatch padded_batch(std::span<const TextRow> rows,
                                      std::int64_t length,
                                      std::int32_t padding);

/// Rows one behind another in a single one, each filled up to a multiple of `multiple`; positions
/// restart and attention stays within a row.
STILLROOM_API MicroBatch packed_batch(std::span<const TextRow> rows,
                                      std::int64_t multiple,
                                      std::int32_t padding);

/// Which rows share a bin of `capacity` tokens: the longest first, each into the first bin with
/// room (first-fit-decreasing); bins are then shuffled by the seed. A row over the capacity takes a
/// bin as if it were cut to it.
STILLROOM_API std::vector<std::vector<std::int64_t>> pack_bins(
    std::span<const std::int64_t> lengths, std::int64_t capacity, std::uint32_t seed);

}  // namespace stillroom::lm
