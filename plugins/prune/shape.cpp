#include "plugins/prune/shape.h"

#include <fmt/format.h>

#include <numeric>

namespace stillroom::prune {

std::string_view name_of(Hparam hparam) {
    switch (hparam) {
        case Hparam::num_layers:
            return "num_layers";
        case Hparam::hidden_size:
            return "hidden_size";
        case Hparam::ffn_hidden_size:
            return "ffn_hidden_size";
        case Hparam::num_attention_heads:
            break;
    }
    return "num_attention_heads";
}

std::optional<Hparam> hparam_named(std::string_view name) {
    for (Hparam hparam : kHparams)
        if (name_of(hparam) == name)
            return hparam;
    return std::nullopt;
}

std::int64_t& Shape::of(Hparam hparam) {
    switch (hparam) {
        case Hparam::num_layers:
            return layers;
        case Hparam::hidden_size:
            return hidden;
        case Hparam::ffn_hidden_size:
            return ffn;
        case Hparam::num_attention_heads:
            break;
    }
    return heads;
}

bool Shape::same_width(const Shape& other) const {
    Shape same = other;
    same.layers = layers;
    return *this == same;
}

Shape shape_of(const lm::ModelConfig& model) {
    const lm::Layer& layer = model.layers.front();
    return {.layers = static_cast<std::int64_t>(model.layers.size()),
            .hidden = model.hidden,
            .ffn = layer.mlp->width,
            .heads = layer.attention->heads,
            .kv_heads = layer.attention->kv_heads};
}

lm::ModelConfig shaped(const lm::ModelConfig& model,
                       const Shape& shape,
                       std::span<const std::int64_t> layers) {
    lm::ModelConfig out = model;
    out.hidden = shape.hidden;
    out.layers.clear();
    for (std::int64_t index : layers) {
        lm::Layer layer = model.layers[static_cast<std::size_t>(index)];
        layer.mlp->width = shape.ffn;
        layer.attention->heads = shape.heads;
        layer.attention->kv_heads = shape.kv_heads;
        out.layers.push_back(layer);
    }
    return out;
}

lm::ModelConfig shaped(const lm::ModelConfig& model, const Shape& shape) {
    std::vector<std::int64_t> first(static_cast<std::size_t>(shape.layers));
    std::iota(first.begin(), first.end(), 0);
    return shaped(model, shape, first);
}

std::string text_of(const Shape& shape) {
    return fmt::format("{} layers, hidden {}, ffn {}, {} heads",
                       shape.layers,
                       shape.hidden,
                       shape.ffn,
                       shape.heads);
}

}  // namespace stillroom::prune
