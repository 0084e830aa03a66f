#include "plugins/lm/train/flops.h"

#include <algorithm>

namespace stillroom::lm {
namespace {

/// Keys that a query sees, on average over a sample.
double keys_seen(const Attention& attention, double sequence) {
    double window = attention.window ? static_cast<double>(*attention.window) : sequence;
    window = std::min(window, sequence);
    return window - window * window / (2 * sequence);
}

double layer_flops(const ModelConfig& model, const Layer& layer, double sequence) {
    auto hidden = static_cast<double>(model.hidden);
    double flops = 0;
    if (const auto& attention = layer.attention) {
        auto query = static_cast<double>(attention->heads * attention->head_dim),
             key = static_cast<double>(attention->kv_heads * attention->head_dim);
        flops += 2 * hidden * (2 * query + 2 * key);  // q and o, k and v
        flops += 2 * 2 * query * keys_seen(*attention, sequence);
    }
    if (layer.mlp)
        flops += 2 * hidden * static_cast<double>(layer.mlp->width) * (model.gated ? 3 : 2);
    return flops;
}

}  // namespace

double forward_flops(const ModelConfig& model, std::int64_t sequence) {
    double flops = 2.0 * static_cast<double>(model.vocab) * static_cast<double>(model.hidden);
    for (const Layer& layer : model.layers)
        flops += layer_flops(model, layer, static_cast<double>(sequence));
    return flops;
}

double training_flops(const ModelConfig& student,
                      const ModelConfig* teacher,
                      std::int64_t sequence) {
    return 3 * forward_flops(student, sequence) + (teacher ? forward_flops(*teacher, sequence) : 0);
}

}  // namespace stillroom::lm
