#include "plugins/prune/reordered.h"

#include "plugins/lm/modules/load.h"
#include "plugins/lm/parallel/part_source.h"
#include "plugins/lm/weights/strict_check.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/index_select.h>

#include <algorithm>
#include <numeric>

namespace stillroom::prune {
namespace fs = std::filesystem;
namespace {

/// Which index of a tensor's dimension stands where.
class Permutation {
public:
    Permutation(const Orders& orders, const lm::Dim& dim, int layer) {
        for (const lm::Segment& segment : dim.segments) {
            const auto offset = static_cast<std::int64_t>(indices_.size());
            std::vector<std::int64_t> inner{0};
            std::int64_t size = 1;
            for (auto part = segment.rbegin(); part != segment.rend(); ++part) {
                std::vector<std::int64_t> outer;
                for (std::int64_t index : order(orders, *part, layer))
                    for (std::int64_t each : inner)
                        outer.push_back(index * size + each);
                inner = std::move(outer);
                size *= part->size;
            }
            for (std::int64_t index : inner)
                indices_.push_back(offset + index);
        }
    }

    bool is_identity() const {
        for (std::size_t i = 0; i < indices_.size(); ++i)
            if (indices_[i] != static_cast<std::int64_t>(i))
                return false;
        return true;
    }

    at::Tensor indices() const {
        at::Tensor out = at::empty({std::ssize(indices_)}, at::kLong);
        std::copy(indices_.begin(), indices_.end(), out.mutable_data_ptr<std::int64_t>());
        return out;
    }

private:
    static std::vector<std::int64_t> order(const Orders& orders, lm::AxisSize part, int layer) {
        auto at = static_cast<std::size_t>(layer);
        switch (part.axis) {
            case lm::Axis::hidden:
                return orders.hidden();
            case lm::Axis::ffn:
                return orders.ffn(at);
            case lm::Axis::heads:
                return orders.heads(at);
            case lm::Axis::kv_heads:
                return orders.kv_heads(at);
            default:
                break;
        }
        std::vector<std::int64_t> all(static_cast<std::size_t>(part.size));
        std::iota(all.begin(), all.end(), 0);
        return all;
    }

    std::vector<std::int64_t> indices_;
};

/// The first so many of a dimension: a view.
at::Tensor leading(const at::Tensor& x, std::int64_t rows) {
    return x.defined() ? x.narrow(0, 0, rows) : x;
}

lm::Linear leading(const lm::Linear& linear, std::int64_t rows, std::int64_t columns) {
    if (!linear.weight.defined())
        return linear;
    return {.weight = linear.weight.narrow(0, 0, rows).narrow(1, 0, columns),
            .bias = leading(linear.bias, rows)};
}

lm::NormWeights leading(const lm::NormWeights& norm, std::int64_t size) {
    return {.weight = leading(norm.weight, size), .bias = leading(norm.bias, size)};
}

/// Rows in rank-major order, of which so many ranks stay: rank r takes in rank 2K - 1 - r, where
/// that one goes.
at::Tensor merged(const at::Tensor& rows, std::int64_t row_of_rank, std::int64_t keep) {
    const std::int64_t ranks = rows.size(0) / row_of_rank;
    const std::int64_t first = std::max<std::int64_t>(0, 2 * keep - ranks);
    at::Tensor out = rows.narrow(0, 0, keep * row_of_rank).clone();
    for (std::int64_t rank = first; rank < keep; ++rank) {
        at::Tensor own = out.narrow(0, rank * row_of_rank, row_of_rank);
        at::Tensor other =
            rows.narrow(0, (2 * keep - 1 - rank) * row_of_rank, row_of_rank).to(at::kFloat);
        at::Tensor wide = own.to(at::kFloat);
        own.copy_(wide + (wide - other));
    }
    return out;
}

void scale(at::Tensor& weight, double factor, bool plus_one) {
    const double one = plus_one ? 1 : 0;
    weight = ((weight.to(at::kDouble) + one) * factor - one).to(weight.scalar_type());
}

}  // namespace

lm::TensorSource in_order(std::shared_ptr<const lm::TensorFolder> files,
                          const lm::ModelConfig& model,
                          const Orders& orders,
                          at::Device device,
                          at::ScalarType type) {
    return [files,
            &orders,
            table = lm::weight_table(model),
            source = lm::tensor_source(files, device, type)](
               const std::string& name, const std::vector<std::int64_t>& shape) {
        const lm::Weight& weight = *table.find(name);
        at::Tensor out = source(weight.name, shape);
        bool is_copy = false;
        for (std::size_t dim = 0; dim < weight.dims.size(); ++dim) {
            Permutation permutation(orders, weight.dims[dim], weight.layer);
            if (permutation.is_identity())
                continue;
            out = at::index_select(
                out, static_cast<std::int64_t>(dim), permutation.indices().to(out.device()));
            is_copy = true;
        }
        if (is_copy)
            files->at(name).forget();
        return out;
    };
}

lm::NormWeights leading_norm(const lm::NormWeights& norm, const Narrowing& narrowing) {
    lm::NormWeights out = leading(norm, narrowing.shape.hidden);
    if (narrowing.factors)
        scale(out.weight, narrowing.factors->last, narrowing.model.norm != lm::Norm::rms);
    return out;
}

lm::LayerWeights leading_layer(const lm::LayerWeights& layer,
                               std::size_t number,
                               const Narrowing& narrowing) {
    const Shape& shape = narrowing.shape;
    const Shape original = shape_of(narrowing.model);
    const std::int64_t dim = narrowing.model.layers.front().attention->head_dim;
    const std::int64_t hidden = shape.hidden, q = shape.heads * dim, kv = shape.kv_heads * dim;
    const lm::AttentionWeights& attention = *layer.attention;
    lm::LayerWeights out;
    out.attention = lm::AttentionWeights{.q_proj = leading(attention.q_proj, q, hidden),
                                         .k_proj = leading(attention.k_proj, kv, hidden),
                                         .v_proj = leading(attention.v_proj, kv, hidden),
                                         .o_proj = leading(attention.o_proj, hidden, q),
                                         .q_norm = attention.q_norm,
                                         .k_norm = attention.k_norm,
                                         .heads_by_rank = !narrowing.by_groups};
    out.mlp = lm::MlpWeights{.gate_proj = leading(layer.mlp->gate_proj, shape.ffn, hidden),
                             .up_proj = leading(layer.mlp->up_proj, shape.ffn, hidden),
                             .down_proj = leading(layer.mlp->down_proj, hidden, shape.ffn)};
    out.attention_norm = leading(layer.attention_norm, hidden);
    out.mlp_norm = leading(layer.mlp_norm, hidden);
    out.attention_out_norm = leading(layer.attention_out_norm, hidden);
    out.mlp_out_norm = leading(layer.mlp_out_norm, hidden);
    if (narrowing.merge_heads && !narrowing.by_groups && shape.heads < original.heads) {
        const std::int64_t rows = dim * original.kv_heads, keep = shape.heads / original.kv_heads;
        lm::Linear& q_proj = out.attention->q_proj;
        q_proj.weight = merged(attention.q_proj.weight.narrow(1, 0, hidden), rows, keep);
        if (q_proj.bias.defined())
            q_proj.bias = merged(attention.q_proj.bias, rows, keep);
    }
    if (narrowing.factors) {
        const bool plus_one = narrowing.model.norm != lm::Norm::rms;
        const NormFactors::Of& of = narrowing.factors->layers[number];
        scale(out.attention_norm.weight, of.attention, plus_one);
        scale(out.mlp_norm.weight, of.mlp, plus_one);
    }
    return out;
}

Reordered::Reordered(const fs::path& folder,
                     const lm::ModelConfig& model,
                     const Orders& orders,
                     const Machine& machine)
    : model_(model),
      part_(machine.part_of(model)),
      by_groups_(orders.by_groups()) {
    auto files = std::make_shared<const lm::TensorFolder>(lm::TensorFolder::open(folder));
    lm::strict_check(model, lm::weight_table(model), *files);
    whole_ = lm::build_part(part_,
                            in_order(files, model, orders, machine.device, machine.type),
                            at::TensorOptions().dtype(machine.type).device(machine.device));
    files->check();
}

lm::Decoder Reordered::candidate(const Shape& shape,
                                 const NormFactors* factors,
                                 bool merge_heads) const {
    const Narrowing narrowing{.model = model_,
                              .shape = shape,
                              .by_groups = by_groups_,
                              .merge_heads = merge_heads,
                              .factors = factors};
    lm::Decoder out;
    Shape all = shape;
    all.layers = std::ssize(model_.layers);
    out.config = shaped(model_, all);
    out.embed_tokens = whole_.embed_tokens.narrow(1, 0, shape.hidden);
    out.lm_head = whole_.lm_head.narrow(1, 0, shape.hidden);
    out.norm = leading_norm(whole_.norm, narrowing);
    for (const lm::LayerWeights& layer : whole_.layers)
        out.layers.push_back(layer.attention  // else another stage's
                                 ? leading_layer(layer, out.layers.size(), narrowing)
                                 : lm::LayerWeights());
    return out;
}

}  // namespace stillroom::prune
