#pragma once

#include "plugins/lm/modules/decoder.h"
#include "plugins/lm/parallel/model_part.h"
#include "plugins/prune/scores.h"

#include <set>

namespace stillroom::prune {

/// Gathers a pass's activations into RawScores. The unit is a sequence of the batch: the mean of
/// |x| over its tokens, squared, is added to its channel's sum. Partial sums are fp32 and totals
/// fp64, where the activations are; a device is asked for them once, at the end.
class Meter {
public:
    /// Of the layers and channels that a rank holds. Of ranks that share each layer all see the
    /// same residual stream: one of them, which `tells_stream`, counts it.
    Meter(const lm::ModelConfig& model,
          const lm::ModelPart& part,
          bool tells_stream,
          const std::set<Hparam>& hooks,
          at::Device device);

    /// What to pass to a forward pass of this batch; layers count from `first`.
    lm::Watch watch(const lm::Batch& batch, std::size_t first = 0);

    /// Of the whole model, with zeros where others measured: sums over ranks are the model's.
    RawScores take(std::int64_t rows, std::int64_t tokens) const;

private:
    void add_squares(at::Tensor& sum, const at::Tensor& x_TC, const lm::Batch& batch) const;
    void add_angles(at::Tensor sum,
                    const at::Tensor& in_TD,
                    const at::Tensor& out_TD,
                    const lm::Batch& batch) const;

    /// Sums of a hook, a tensor a layer, and which of the model's channels they are.
    struct Hook {
        std::int64_t channels = 0;  ///< of the whole model
        std::vector<at::Tensor> sums;
        std::vector<lm::Runs> runs;
    };
    static std::vector<std::vector<double>> lists_of(const Hook& hook);

    std::size_t layers_;
    bool tells_stream_ = true;
    Hook attention_input_, mlp_input_, heads_, ffn_;
    at::Tensor layer_sums_, stream_;
};

}  // namespace stillroom::prune
