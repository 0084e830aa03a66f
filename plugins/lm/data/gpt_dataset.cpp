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

void GptDataset::read(std::int64_t sample,
                      std::span<std::int32_t> into,
                      std::int64_t vocabulary) const {
    assert(static_cast<std::int64_t>(into.size()) == indices_.sequence + 1);
    GptIndices::Start at = indices_.start(indices_.shuffled[static_cast<std::size_t>(sample)]);
    while (!into.empty()) {
        std::int64_t sequence = indices_.documents[static_cast<std::size_t>(at.document)];
        std::int64_t first = data_->first_token(sequence) + at.offset;
        auto count =
            std::min(into.size(), static_cast<std::size_t>(data_->last_token(sequence) - first));
        data_->read(first, into.first(count), vocabulary);
        into = into.subspan(count);
        at = {at.document + 1, 0};
    }
}

}  // namespace stillroom::lm
