#pragma once

#include "plugins/lm/weights/slice.h"
#include "plugins/prune/scores.h"

namespace stillroom::prune {

/// Indices by descending importance; of equal ones the first comes first.
std::vector<std::int64_t> descending(std::span<const float> importances);

struct OrderOptions {
    bool block = false;            ///< the layers that go are neighbours
    bool prune_kv_groups = false;  ///< heads go by whole groups
    std::int64_t group_heads = 0;  ///< of a group that stays, where groups go; 0: all it has
};

/// In which order a model's parts stay. Sizes that were not measured keep their own order.
class Orders {
public:
    Orders(const lm::ModelConfig& model, const Scores& scores, const OrderOptions& options = {});

    const std::vector<std::int64_t>& hidden() const { return hidden_; }
    const std::vector<std::int64_t>& ffn(std::size_t layer) const { return ffn_[layer]; }

    /// Rank r of group g at r * groups + g: a leading slice is so many heads of each group, and
    /// head i of it reads KV head i % groups. Where groups go as a whole they stand one after
    /// another, first with the heads that stay of each.
    const std::vector<std::int64_t>& heads(std::size_t layer) const { return heads_[layer]; }
    const std::vector<std::int64_t>& kv_heads(std::size_t layer) const { return kv_heads_[layer]; }

    bool by_groups() const { return options_.prune_kv_groups; }

    /// Layers that stay of this many, ascending.
    std::vector<std::int64_t> layers(std::int64_t count) const;

    /// What stays of a model in this shape: ascending indices, as the published tools' survivors
    /// but for their order. `layers`: those that somebody named.
    lm::Cut cut(const Shape& shape, const std::optional<std::vector<std::int64_t>>& layers) const;

    const Shape& original() const { return original_; }

private:
    lm::LayerCut layer_cut(const Shape& shape, std::size_t layer) const;

    Shape original_;
    OrderOptions options_;
    std::vector<std::int64_t> hidden_, layers_;
    std::vector<float> layer_scores_;
    std::vector<std::vector<std::int64_t>> ffn_, heads_, kv_heads_;
};

/// Throws Error (exit 2) where the scores lack what the cut from one shape to another asks for.
void require_scores(const Scores& scores, const Shape& from, const Shape& to, bool layers_named);

}  // namespace stillroom::prune
