#include "plugins/prune/metrics.h"

#include <algorithm>

namespace stillroom::prune {
namespace {

std::int64_t size_in(const lm::AxisSize& part, const Shape& shape) {
    switch (part.axis) {
        case lm::Axis::hidden:
            return shape.hidden;
        case lm::Axis::ffn:
            return shape.ffn;
        case lm::Axis::heads:
            return shape.heads;
        case lm::Axis::kv_heads:
            return shape.kv_heads;
        default:
            return part.size;
    }
}

std::int64_t size_in(const lm::Dim& dim, const Shape& shape) {
    std::int64_t sum = 0;
    for (const lm::Segment& segment : dim.segments) {
        std::int64_t product = 1;
        for (const lm::AxisSize& part : segment)
            product *= size_in(part, shape);
        sum += product;
    }
    return sum;
}

}  // namespace

ShapeCounter::ShapeCounter(const lm::ModelConfig& model, const Serving& serving)
    : head_dim_(model.layers.front().attention->head_dim),
      serving_(serving) {
    for (const lm::Weight& weight : lm::weight_table(model)) {
        if (weight.layer < 0)
            add(base_, weight);
        else if (weight.layer == 0)
            add(layer_, weight);
    }
}

void ShapeCounter::add(std::vector<Term>& terms, const lm::Weight& weight) {
    auto same = std::find_if(
        terms.begin(), terms.end(), [&](const Term& term) { return term.dims == weight.dims; });
    if (same == terms.end())
        terms.push_back({weight.dims, 1});
    else
        same->times++;
}

std::int64_t ShapeCounter::sum(const std::vector<Term>& terms, const Shape& shape) {
    std::int64_t out = 0;
    for (const Term& term : terms) {
        std::int64_t product = term.times;
        for (const lm::Dim& dim : term.dims)
            product *= size_in(dim, shape);
        out += product;
    }
    return out;
}

Metrics ShapeCounter::count(const Shape& shape) const {
    constexpr double kMib = 1024.0 * 1024.0;
    Metrics out;
    out.params = sum(base_, shape) + shape.layers * sum(layer_, shape);
    out.active_params = out.params;  // every family of today is dense
    out.weights_mib = serving_.weight_bytes * static_cast<double>(out.params) / kMib;
    auto positions = static_cast<double>(serving_.batch) * static_cast<double>(serving_.sequence);
    out.kv_mib = static_cast<double>(shape.layers * 2 * shape.kv_heads * head_dim_) * positions *
                 serving_.kv_bytes / kMib;
    return out;
}

}  // namespace stillroom::prune
