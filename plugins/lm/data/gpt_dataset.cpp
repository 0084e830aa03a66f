#include "plugins/lm/data/gpt_dataset.h"

#include <algorithm>
#include <cassert>

namespace stillroom::lm {

GptDataset::GptDataset(const IndexedDataset& data,
                       SequenceRange range,
                       std::int64_t sequence,
                       std::optional<std::int64_t> samples,
                       std::int64_t seed)
    : data_(&data),
      indices_(build_gpt_indices(data.ends(), range, sequence, samples, seed)) {}

/// Calls `take(first token, count)` for each document that a sample has tokens of.
template <class Take>
void GptDataset::pieces(std::int64_t sample, Take take) const {
    GptIndices::Start at = indices_.start(indices_.shuffled[static_cast<std::size_t>(sample)]);
    for (std::int64_t left = indices_.sequence + 1; left > 0; at = {at.document + 1, 0}) {
        std::int64_t sequence = indices_.documents[static_cast<std::size_t>(at.document)];
        std::int64_t first = data_->first_token(sequence) + at.offset;
        std::int64_t count = std::min(left, data_->last_token(sequence) - first);
        if (count > 0)
            take(first, count);
        left -= count;
    }
}

void GptDataset::read(std::int64_t sample,
                      std::span<std::int32_t> into,
                      std::int64_t vocabulary) const {
    assert(static_cast<std::int64_t>(into.size()) == indices_.sequence + 1);
    pieces(sample, [&](std::int64_t first, std::int64_t count) {
        data_->read(first, into.first(static_cast<std::size_t>(count)), vocabulary);
        into = into.subspan(static_cast<std::size_t>(count));
    });
}

std::vector<std::int32_t> GptDataset::bounds(std::int64_t sample) const {
    std::vector<std::int32_t> out{0};
    pieces(sample, [&](std::int64_t, std::int64_t count) {
        out.push_back(out.back() + static_cast<std::int32_t>(count));
    });
    return out;
}

}  // namespace stillroom::lm
