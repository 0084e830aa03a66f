#include "plugins/lm/train/lesson.h"

#include <ATen/ops/empty.h>

#include <algorithm>

namespace stillroom::lm {

Lesson lesson_of(const MicroBatch& batch, bool positions) {
    auto tokens = static_cast<std::int64_t>(batch.inputs.size());
    Lesson lesson;
    lesson.tokens.ids_T = at::empty({tokens}, at::kLong);
    lesson.labels_T = at::empty({tokens}, at::kLong);
    auto* ids = lesson.tokens.ids_T.mutable_data_ptr<std::int64_t>();
    auto* labels = lesson.labels_T.mutable_data_ptr<std::int64_t>();
    for (std::size_t i = 0; i < batch.inputs.size(); i++) {
        ids[i] = batch.inputs[i];
        labels[i] = batch.counts[i] ? batch.labels[i] : -1;
    }
    for (std::size_t i = 1; i < batch.starts.size(); i++)
        lesson.tokens.lengths.push_back(batch.starts[i] - batch.starts[i - 1]);
    if (positions) {
        lesson.tokens.positions_T = at::empty({tokens}, at::kLong);
        std::copy(batch.positions.begin(),
                  batch.positions.end(),
                  lesson.tokens.positions_T.mutable_data_ptr<std::int64_t>());
    }
    lesson.counted = batch.counted();
    return lesson;
}

}  // namespace stillroom::lm
