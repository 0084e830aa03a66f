#pragma once

#include "engine/base/api.h"
#include "plugins/lm/data/split.h"

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <vector>

namespace stillroom::lm {

/// The order in which Megatron's GPTDataset shows a pair of files: documents shuffled and joined,
/// epoch after epoch, cut into samples that overlap by a token, the samples shuffled.
struct GptIndices {
    struct Start {
        std::int64_t document = 0;  ///< a place in `documents`
        std::int64_t offset = 0;    ///< tokens into that document
        bool operator==(const Start&) const = default;
    };

    std::int64_t sequence = 0;
    std::int64_t epochs = 0;
    bool separate_last = false;               ///< the last epoch is shuffled by itself
    std::vector<std::int32_t> documents;      ///< sequences of the `.idx`
    std::vector<std::int32_t> narrow_starts;  ///< of samples, two numbers each; one sample more,
    std::vector<std::int64_t> wide_starts;    ///< where the last one ends; narrow if they fit
    std::vector<std::uint32_t> shuffled;      ///< sample i is cut from starts[shuffled[i]] on

    std::int64_t size() const { return static_cast<std::int64_t>(shuffled.size()); }
    Start start(std::int64_t index) const {
        auto i = static_cast<std::size_t>(index) * 2;
        if (wide_starts.empty())
            return {narrow_starts[i], narrow_starts[i + 1]};
        return {wide_starts[i], wide_starts[i + 1]};
    }
};

/// `ends`: running sums of the lengths of all sequences; `samples`: at least so many, nothing: one
/// epoch. Equal to megatron-core's to the last element. Throws Error: exit 3 if the range has no
/// token, exit 2 for a sequence length, a seed or a number of samples out of bounds (samples below
/// 2^32 - 2, the seed below 2^32).
STILLROOM_API GptIndices build_gpt_indices(std::span<const std::int64_t> ends,
                                           SequenceRange range,
                                           std::int64_t sequence,
                                           std::optional<std::int64_t> samples,
                                           std::int64_t seed);

/// Writes PREFIX-{document,sample,shuffle}_index.npy, as megatron-core caches them.
STILLROOM_API void export_npy(const GptIndices& indices, const std::filesystem::path& prefix);

}  // namespace stillroom::lm
