#pragma once

#include "plugins/lm/kernels/device_kernels.h"
#include "plugins/lm/modules/head_rows.h"

#include <memory>
#include <span>
#include <vector>

namespace stillroom::lm {

/// What a device does with the logits of a chunk, of the words that are here. Asked in this order,
/// once a chunk.
class HeadEngine {
public:
    virtual ~HeadEngine() = default;

    virtual std::int64_t suitable_rows() const = 0;

    /// Makes the logits of both sides and adds them up. A label is a word here or -1.
    virtual std::vector<RowSums> add_up(std::span<const std::int64_t> rows,
                                        std::span<const std::int64_t> labels) = 0;
    virtual std::vector<std::vector<TopToken>> top_tokens() = 0;
    virtual MixtureSums add_up_mixture(const LaneSlopes& slopes) = 0;

    /// Writes the rows' hidden slopes, adds to the weight's: now, or together with the next chunk's
    /// logits.
    virtual void make_slopes(const HeadRows& chunk, const HeadSlopes& into) = 0;

    /// After the last chunk.
    virtual void finish() {}
};

/// Both sides of the batch have `words` words; `most_rows` are the most that a chunk will have, 0:
/// as many as are suitable. Batch and terms outlive the engine.
std::unique_ptr<HeadEngine> cpu_head_engine(const HeadBatch& batch,
                                            const HeadTerms& terms,
                                            std::int64_t words,
                                            std::int64_t most_rows);

/// `kernels` between LibTorch's products, for hidden states and weights that are all fp32 or all
/// bf16, where the kernels' memory is.
STILLROOM_API std::unique_ptr<HeadEngine> device_head_engine(const HeadBatch& batch,
                                                             const HeadTerms& terms,
                                                             std::int64_t words,
                                                             std::int64_t most_rows,
                                                             const DeviceKernels& kernels);

/// LibTorch's operators, on any device.
STILLROOM_API std::unique_ptr<HeadEngine> operator_head_engine(const HeadBatch& batch,
                                                               const HeadTerms& terms,
                                                               std::int64_t words);

/// A batch, chunk by chunk. `rows` are those that count; no slopes without `slopes`.
STILLROOM_API HeadSums run_chunks(HeadEngine& engine,
                                  const HeadBatch& batch,
                                  const HeadTerms& terms,
                                  std::span<const std::int64_t> rows,
                                  const HeadSlopes* slopes);

}  // namespace stillroom::lm
