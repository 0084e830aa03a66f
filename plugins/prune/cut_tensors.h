#pragma once

#include "plugins/lm/weights/tensor_writer.h"
#include "plugins/prune/orders.h"

#include <map>

namespace stillroom::prune {

/// What a tensor's values become besides being cut; nothing for most.
struct Change {
    /// For each row of what stays another row of the source, or -1: row + (row - other).
    std::vector<std::int64_t> others;
    double factor = 1;      ///< of a norm's weight
    bool plus_one = false;  ///< the weight counts as 1 + w
};

/// Changes by the name of the tensor as it will be.
using Changes = std::map<std::string, Change>;

/// merge_heads: with K of a group's L heads kept, the kept head of rank i (from 1, i > 2K - L)
/// takes in the one of rank 2K - i + 1: head_i + (head_i - head_(2K-i+1)). Query rows alone: KV
/// heads stay.
void add_merged_heads(Changes& changes,
                      const lm::ModelConfig& model,
                      const lm::Cut& cut,
                      const Scores& scores);

/// rescale_norm: by what norm weights are multiplied, rms of the channels that stay over rms of
/// all, as the norms' own outputs showed them (the last norm: its input). Norms behind a branch
/// stay as they are.
struct NormFactors {
    struct Of {
        double attention = 1, mlp = 1;
    };
    std::vector<Of> layers;  ///< of the model before
    double last = 1;
};
NormFactors norm_factors(const lm::ModelConfig& model,
                         const std::vector<std::int64_t>& hidden,
                         const Scores& scores,
                         const lm::TensorFolder& files);
void add_rescaled_norms(Changes& changes,
                        const lm::ModelConfig& model,
                        const lm::Cut& cut,
                        const NormFactors& factors);

/// The tensors of the cut model, made one at a time out of the mapped source.
std::vector<lm::NewTensor> cut_tensors(const lm::TensorFolder& files,
                                       const lm::ModelConfig& model,
                                       const lm::Cut& cut,
                                       const Changes& changes);

}  // namespace stillroom::prune
