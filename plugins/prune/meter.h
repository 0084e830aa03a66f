#pragma once

#include "plugins/lm/modules/decoder.h"
#include "plugins/prune/scores.h"

#include <set>

namespace stillroom::prune {

/// Gathers a pass's activations into RawScores. The unit is a sequence of the batch: the mean of
/// |x| over its tokens, squared, is added to its channel's sum. Partial sums are fp32 and totals
/// fp64, where the activations are; a device is asked for them once, at the end.
class Meter {
public:
    Meter(const lm::ModelConfig& config, const std::set<Hparam>& hooks, at::Device device);

    /// What to pass to a forward pass of this batch; layers count from `first`.
    lm::Watch watch(const lm::Batch& batch, std::size_t first = 0);

    RawScores take(std::int64_t rows, std::int64_t tokens) const;

private:
    void add_squares(at::Tensor& sum, const at::Tensor& x_TC, const lm::Batch& batch) const;
    void add_angles(at::Tensor sum,
                    const at::Tensor& in_TD,
                    const at::Tensor& out_TD,
                    const lm::Batch& batch) const;

    std::size_t layers_;
    std::set<Hparam> hooks_;
    std::vector<at::Tensor> attention_input_, mlp_input_, heads_, ffn_;
    at::Tensor layer_sums_, stream_;
};

}  // namespace stillroom::prune
