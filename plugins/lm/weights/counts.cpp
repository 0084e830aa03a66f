#include "plugins/lm/weights/counts.h"

#include <algorithm>

namespace stillroom::lm {
namespace {

bool has_vocabulary(const Weight& weight) {
    return std::any_of(weight.dims.begin(), weight.dims.end(), [](const Dim& dim) {
        return dim.segments.size() == 1 && dim.segments[0][0].axis == Axis::vocab;
    });
}

}  // namespace

Counts count(const WeightTable& table) {
    Counts out;
    for (const Weight& weight : table) {
        out.total += weight.count();
        if (has_vocabulary(weight))
            out.embedding += weight.count();
    }
    out.active = out.total;  // every family of today is dense
    return out;
}

std::int64_t weight_bytes(const WeightTable& table, int bits) {
    std::int64_t bytes = 0;
    for (const Weight& weight : table)
        bytes += (weight.count() * bits + 7) / 8;
    return bytes;
}

std::int64_t kv_elements(const ModelConfig& model) {
    std::int64_t elements = 0;
    for (const Layer& layer : model.layers)
        if (layer.attention)
            elements += 2 * layer.attention->kv_heads * layer.attention->head_dim;
    return elements;
}

}  // namespace stillroom::lm
