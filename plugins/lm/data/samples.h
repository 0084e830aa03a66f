#pragma once

#include "plugins/lm/data/blend_order.h"
#include "plugins/lm/data/dataset_folder.h"
#include "plugins/lm/data/gpt_dataset.h"
#include "plugins/lm/data/split.h"

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace stillroom::lm {

struct SampleRequest {
    std::int64_t sequence = 4096;
    /// Steps times global batch. Nothing: one pass over the data, of a blend without weights only.
    std::optional<std::int64_t> samples;
    std::string split = "1";  ///< "99,1,0", where a dataset serves several parts
    SplitPart part = SplitPart::train;
    std::int64_t seed = 1234;
};

/// The samples of a dataset artifact in the order in which training sees them, as megatron-core's
/// builder gives them: one pair of files by itself; several by their weights, with repetition; or
/// without weights by their size, one pass each.
class STILLROOM_API Samples {
public:
    /// Throws Error: exit 2 for the request, exit 3 for data that does not give what is asked.
    Samples(std::shared_ptr<const DatasetFolder> data, const SampleRequest& request);

    std::int64_t size() const { return blended_ ? order_.size() : parts_.front().size(); }
    std::int64_t sequence() const { return request_.sequence; }
    const DatasetFolder& data() const { return *data_; }

    /// Copies sequence() + 1 tokens. Throws Error (exit 3) for an id that is not below
    /// `vocabulary`. From several threads at once.
    void read(std::int64_t sample, std::span<std::int32_t> into, std::int64_t vocabulary) const;

    /// Where documents end among those tokens: 0, ends in rising order, sequence() + 1.
    std::vector<std::int32_t> bounds(std::int64_t sample) const;

    /// What the order is made of, for comparison and reports.
    const std::vector<GptDataset>& parts() const { return parts_; }
    const BlendOrder& order() const { return order_; }  ///< empty where there is one pair

private:
    void add(std::size_t part, std::optional<std::int64_t> samples);
    void blend_by_weight();
    void blend_by_size();
    void check_order() const;

    std::shared_ptr<const DatasetFolder> data_;
    SampleRequest request_;
    Split split_;
    std::vector<GptDataset> parts_;
    BlendOrder order_;
    bool blended_ = false;
};

/// Of each dataset of a blend: so many samples are asked for, 0.5 % over its share.
STILLROOM_API std::vector<std::int64_t> blend_sizes(std::span<const double> weights,
                                                    std::int64_t samples);

}  // namespace stillroom::lm
