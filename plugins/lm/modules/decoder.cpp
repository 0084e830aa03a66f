#include "plugins/lm/modules/decoder.h"

#include "engine/base/error.h"
#include "plugins/lm/modules/linear.h"
#include "plugins/lm/modules/on_device.h"
#include "plugins/lm/modules/own_backward.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/tanh.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>

namespace stillroom::lm {
namespace {

/// `look`, bound to a layer; empty where nobody looks.
std::function<void(const at::Tensor&)> at_layer(const Watch::Look& look, std::size_t layer) {
    if (!look)
        return {};
    return [&look, layer](const at::Tensor& x) { look(layer, x); };
}

at::TensorOptions computed_in(const Decoder& decoder) {
    at::TensorOptions options = decoder.embed_tokens.options();
    return decoder.wide_type ? options.dtype(*decoder.wide_type) : options;
}

/// The turns of each rope that the layers [first, last) have, worked out once.
class TurnsByRope {
public:
    TurnsByRope(const Decoder& decoder, const Batch& batch)
        : batch_(batch),
          options_(computed_in(decoder)) {}

    const Turns& of(const Rope& rope) {
        for (const auto& [known, turns] : known_)
            if (*known == rope)
                return *turns;
        known_.emplace_back(&rope, std::make_unique<Turns>(turns_of(rope, batch_, options_)));
        return *known_.back().second;
    }

private:
    const Batch& batch_;
    at::TensorOptions options_;
    std::vector<std::pair<const Rope*, std::unique_ptr<Turns>>> known_;
};

at::Tensor normed(const at::Tensor& x_TD, const NormWeights& weights, const ModelConfig& config) {
    return norm(x_TD, weights, config.norm, config.norm_eps);
}

at::Tensor scaled(const at::Tensor& x_TD, double by) {
    return by == 1 ? x_TD : x_TD * by;
}

at::Tensor met(const Crossing::Step& step, const at::Tensor& x_TD) {
    return step ? step(x_TD) : x_TD;
}

/// Rows of the embedding; zeros for words that other ranks have.
at::Tensor embedded(const Decoder& decoder, const at::Tensor& ids_T) {
    const at::Tensor& weight = decoder.embed_tokens;
    at::Tensor own_T = ids_T, other_T;
    if (decoder.words > 0) {
        own_T = ids_T - decoder.first_word;
        other_T = (own_T < 0).logical_or_(own_T >= weight.size(0));
        own_T = own_T.masked_fill_(other_T, 0);
    }
    at::Tensor x_TD = wants_gradient({&weight})
                          ? embed_with_backward(weight, own_T)
                          : at::embedding(weight, own_T).to(computed_in(decoder).dtype());
    return other_T.defined() ? x_TD.masked_fill(other_T.unsqueeze(1), 0) : x_TD;
}

at::Tensor attention_branch(const Decoder& decoder,
                            const at::Tensor& x_TD,
                            const Batch& batch,
                            std::size_t layer,
                            const Turns& turns,
                            const Watch& watch) {
    const ModelConfig& config = decoder.config;
    const LayerWeights& weights = decoder.layers[layer];
    at::Tensor in_TD = normed(x_TD, weights.attention_norm, config);
    if (watch.attention_input)
        watch.attention_input(layer, in_TD);
    at::Tensor out_TD = attention(met(decoder.crossing.enter, in_TD),
                                  *weights.attention,
                                  {.model = config,
                                   .shape = *config.layers[layer].attention,
                                   .turns = turns,
                                   .batch = batch,
                                   .layer = layer,
                                   .see_heads = at_layer(watch.heads, layer)});
    out_TD = met(decoder.crossing.leave, out_TD);
    return scaled(config.four_norms ? normed(out_TD, weights.attention_out_norm, config) : out_TD,
                  config.branch_scale);
}

at::Tensor mlp_branch(const Decoder& decoder,
                      const at::Tensor& x_TD,
                      std::size_t layer,
                      const Watch& watch) {
    const ModelConfig& config = decoder.config;
    const LayerWeights& weights = decoder.layers[layer];
    at::Tensor in_TD = normed(x_TD, weights.mlp_norm, config);
    if (watch.mlp_input)
        watch.mlp_input(layer, in_TD);
    at::Tensor out_TD = mlp(met(decoder.crossing.enter, in_TD),
                            *weights.mlp,
                            config.activation,
                            at_layer(watch.mlp_middle, layer));
    out_TD = met(decoder.crossing.leave, out_TD);
    return scaled(config.four_norms ? normed(out_TD, weights.mlp_out_norm, config) : out_TD,
                  config.branch_scale);
}

}  // namespace

at::Tensor embed(const Decoder& decoder, const Batch& batch) {
    std::int64_t low = batch.ids_T.min().item<std::int64_t>();
    std::int64_t high = batch.ids_T.max().item<std::int64_t>();
    std::int64_t words = decoder.words > 0 ? decoder.words : decoder.config.vocab;
    if (low < 0 || high >= words)
        throw Error({},
                    fmt::format("token {} is none of the model's {}", low < 0 ? low : high, words))
            .hint("the ids were made with the tokenizer of another model")
            .exit_code(kExitBadInput);
    const at::Tensor& weight = decoder.embed_tokens;
    at::Tensor x_TD =
        met(decoder.crossing.leave, embedded(decoder, sent_to(weight.device(), batch.ids_T)));
    if (!decoder.config.scaled_embedding)
        return scaled(x_TD, decoder.config.embedding_scale);
    double scale = std::sqrt(static_cast<double>(decoder.config.hidden));
    return x_TD * at::scalar_tensor(scale, computed_in(decoder));  // rounded to that type
}

at::Tensor run_layers(const Decoder& decoder,
                      at::Tensor x_TD,
                      const Batch& batch,
                      std::size_t first,
                      std::size_t last,
                      const Watch& watch) {
    TurnsByRope turns(decoder, batch);
    for (std::size_t layer = first; layer < last; layer++) {
        at::Tensor in_TD = x_TD;
        if (const auto& shape = decoder.config.layers[layer].attention)
            x_TD =
                x_TD + attention_branch(decoder, x_TD, batch, layer, turns.of(shape->rope), watch);
        if (decoder.config.layers[layer].mlp)
            x_TD = x_TD + mlp_branch(decoder, x_TD, layer, watch);
        if (watch.layer)
            watch.layer(layer, in_TD, x_TD);
    }
    return x_TD;
}

bool needs_whole_text(const ModelConfig& config, std::int64_t length) {
    return std::any_of(config.layers.begin(), config.layers.end(), [&](const Layer& layer) {
        return layer.attention && bends_by_length(layer.attention->rope, length);
    });
}

at::Tensor hidden_states(const Decoder& decoder, const Batch& batch, const Watch& watch) {
    at::Tensor x_TD =
        run_layers(decoder, embed(decoder, batch), batch, 0, decoder.layers.size(), watch);
    for (std::size_t i = 0; i < batch.caches.size(); i++)
        if (batch.caches[i])
            batch.caches[i]->advance(batch.lengths[i]);
    return head_input(decoder, x_TD);
}

at::Tensor head_input(const Decoder& decoder, const at::Tensor& x_TD) {
    // The head is linear: what divides its output divides its input, and no logit is touched twice.
    return scaled(normed(x_TD, decoder.norm, decoder.config), 1 / decoder.config.logit_divisor);
}

at::Tensor logits(const Decoder& decoder, const at::Tensor& hidden_TD) {
    at::Tensor logits_TV = linear(hidden_TD, {.weight = decoder.lm_head, .bias = {}});
    if (auto cap = decoder.config.final_cap)
        logits_TV = at::tanh(logits_TV / *cap) * *cap;
    return logits_TV;
}

at::Tensor last_tokens(const at::Tensor& x_TD, const Batch& batch) {
    std::vector<std::int64_t> rows;
    std::int64_t end = 0;
    for (std::int64_t length : batch.lengths)
        rows.push_back((end += length) - 1);
    return x_TD.index_select(0, at::tensor(rows, at::kLong).to(x_TD.device()));
}

}  // namespace stillroom::lm
