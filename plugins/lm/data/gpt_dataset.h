#pragma once

#include "plugins/lm/data/gpt_indices.h"
#include "plugins/lm/data/indexed_dataset.h"

#include <cstdint>
#include <optional>
#include <span>

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

private:
    const IndexedDataset* data_;
    GptIndices indices_;
};

}  // namespace stillroom::lm
