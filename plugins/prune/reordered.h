#pragma once

#include "plugins/lm/modules/decoder.h"
#include "plugins/prune/cut_tensors.h"
#include "plugins/prune/machine.h"

#include <filesystem>

namespace stillroom::prune {

/// One copy of a model whose channels and heads stand in the order of their importance. Every
/// candidate's weights are leading slices of it: views, never copies. Ranks of a pipeline hold
/// their layers of it.
class Reordered {
public:
    Reordered(const std::filesystem::path& folder,
              const lm::ModelConfig& model,
              const Orders& orders,
              const Machine& machine);

    /// All layers of the model in this width. What options change besides is copied: norms by
    /// `factors`, and query heads that take others in.
    lm::Decoder candidate(const Shape& shape,
                          const NormFactors* factors = nullptr,
                          bool merge_heads = false) const;

    const lm::ModelConfig& model() const { return model_; }
    const lm::ModelPart& part() const { return part_; }

private:
    lm::ModelConfig model_;
    lm::ModelPart part_;
    Shape original_;
    bool by_groups_ = false;
    lm::Decoder whole_;
};

}  // namespace stillroom::prune
