#pragma once

#include "plugins/lm/modules/decoder.h"
#include "plugins/prune/cut_tensors.h"
#include "plugins/prune/machine.h"

#include <filesystem>
#include <memory>

namespace stillroom::prune {

/// Tensors of a model whose channels and heads stand in the order of their importance: a copy of
/// each that has another order in the files, whose pages are given back at once.
lm::TensorSource in_order(std::shared_ptr<const lm::TensorFolder> files,
                          const lm::ModelConfig& model,
                          const Orders& orders,
                          at::Device device,
                          at::ScalarType type);

/// What a candidate is beside its leading slices.
struct Narrowing {
    const lm::ModelConfig& model;
    Shape shape;
    bool by_groups = false;
    bool merge_heads = false;
    const NormFactors* factors = nullptr;
};

/// Of a layer in that order what a candidate takes: views, but for norms by `factors` and query
/// heads that take others in.
lm::LayerWeights leading_layer(const lm::LayerWeights& layer,
                               std::size_t number,
                               const Narrowing& narrowing);
lm::NormWeights leading_norm(const lm::NormWeights& norm, const Narrowing& narrowing);

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
    bool by_groups_ = false;
    lm::Decoder whole_;
};

}  // namespace stillroom::prune
