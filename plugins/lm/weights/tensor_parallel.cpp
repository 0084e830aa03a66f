#include "plugins/lm/weights/tensor_parallel.h"

#include "engine/base/error.h"

#include <fmt/format.h>

#include <algorithm>

namespace stillroom::lm {
namespace {

bool splits_kv(std::int64_t kv_heads, std::int64_t ranks) {
    return kv_heads % ranks == 0 || ranks % kv_heads == 0;
}

bool same_shape(const Layer& a, const Layer& b) {
    return a.mlp == b.mlp && a.attention.has_value() == b.attention.has_value() &&
           (!a.attention || (a.attention->heads == b.attention->heads &&
                             a.attention->kv_heads == b.attention->kv_heads));
}

bool splits(const Layer& layer, std::int64_t ranks) {
    bool attention = !layer.attention || (layer.attention->heads % ranks == 0 &&
                                          splits_kv(layer.attention->kv_heads, ranks));
    return attention && (!layer.mlp || layer.mlp->width % ranks == 0);
}

/// A segment is split along its first axis.
Run part_of(const Segment& segment, std::int64_t ranks, std::int64_t rank, const Weight& weight) {
    const AxisSize& first = segment.front();
    std::int64_t inner = size_of(segment) / first.size;
    if (first.axis == Axis::kv_heads && ranks > first.size && ranks % first.size == 0)
        return {rank / (ranks / first.size) * inner, inner};
    if (first.size % ranks != 0)
        throw Error({},
                    fmt::format("{}: {} {} do not divide over {} tensor-parallel ranks",
                                weight.name,
                                config_key(first.axis),
                                first.size,
                                ranks))
            .exit_code(kExitUsage);
    std::int64_t each = first.size / ranks * inner;
    return {rank * each, each};
}

}  // namespace

std::vector<std::int64_t> tp_sizes(const ModelConfig& model) {
    std::int64_t most = model.vocab;
    std::vector<Layer> shapes;  // alike, mostly: each shape once
    for (const Layer& layer : model.layers) {
        if (std::none_of(shapes.begin(), shapes.end(), [&](const Layer& seen) {
                return same_shape(seen, layer);
            }))
            shapes.push_back(layer);
        if (layer.attention)
            most = std::min(most, layer.attention->heads);
        if (layer.mlp)
            most = std::min(most, layer.mlp->width);
    }
    std::vector<std::int64_t> out;
    for (std::int64_t ranks = 1; ranks <= most; ++ranks)
        if (model.vocab % ranks == 0 &&
            std::all_of(shapes.begin(), shapes.end(), [ranks](const Layer& layer) {
                return splits(layer, ranks);
            }))
            out.push_back(ranks);
    return out;
}

Runs tp_part(const Weight& weight, std::int64_t ranks, std::int64_t rank) {
    const Dim& dim = weight.dims[static_cast<std::size_t>(weight.tp_dim.value_or(0))];
    if (!weight.tp_dim)
        return {{0, dim.size()}};
    Runs out;
    std::int64_t offset = 0;
    for (const Segment& segment : dim.segments) {
        Run part = part_of(segment, ranks, rank, weight);
        append(out, {offset + part.begin, part.count});
        offset += size_of(segment);
    }
    return out;
}

}  // namespace stillroom::lm
