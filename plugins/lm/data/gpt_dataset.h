#pragma once

#include "plugins/lm/data/gpt_indices.h"
#include "plugins/lm/data/indexed_dataset.h"

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace stillroom::lm {

/// Samples of one pair of files, in the order of their indices. The files outlive it.
class STILLROOM_API GptDataset {
public:
    GptDataset(const IndexedDataset& data,
               SequenceRange range,
               std::int64_t sequence,
               std::optional<std::int64_t> samples,
               std::int64_t seed);

    std::int64_t size() const { return indices_.size(); }
    const GptIndices& indices() const { return indices_; }
    const IndexedDataset& data() const { return *data_; }

    /// sequence + 1 tokens: inputs are the first `sequence`, labels the last.
    void read(std::int64_t sample, std::span<std::int32_t> into, std::int64_t vocabulary) const;

    /// Where documents end among those tokens: 0, ends in rising order, sequence + 1.
    std::vector<std::int32_t> bounds(std::int64_t sample) const;

private:
    template <class Take>
    void pieces(std::int64_t sample, Take take) const;

    const IndexedDataset* data_;
    GptIndices indices_;
};

}  // namespace stillroom::lm
