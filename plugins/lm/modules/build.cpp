#include "engine/base/error.h"
#include "plugins/lm/modules/decoder.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace stillroom::lm {
namespace {

/// Takes tensors from the source and holds them to the shapes that the config implies.
class Taker {
public:
    Taker(const ModelConfig& config, const TensorSource& source)
        : config_(config),
          source_(source) {}

    at::Tensor tensor(const std::string& name, const std::vector<std::int64_t>& shape) const {
        at::Tensor found = source_(name, shape);
        if (!found.defined() || found.sizes() != at::IntArrayRef(shape))
            throw Error(
                {},
                fmt::format(
                    "'{}' is [{}], expected [{}]",
                    name,
                    found.defined() ? fmt::format("{}", fmt::join(found.sizes(), ", ")) : "absent",
                    fmt::join(shape, ", ")))
                .exit_code(kExitBadInput);
        return found;
    }

    Linear linear(const std::string& name, std::int64_t out, std::int64_t in, bool bias) const {
        return {.weight = tensor(name + ".weight", {out, in}),
                .bias = bias ? tensor(name + ".bias", {out}) : at::Tensor()};
    }

    NormWeights norm(const std::string& name) const {
        bool bias = config_.norm == Norm::layer_plus_one;
        return {.weight = tensor(name + ".weight", {config_.hidden}),
                .bias = bias ? tensor(name + ".bias", {config_.hidden}) : at::Tensor()};
    }

    AttentionWeights attention(const std::string& name, const Attention& shape) const {
        std::int64_t hidden = config_.hidden, dim = shape.head_dim;
        std::int64_t rows = shape.heads * dim, kv_rows = shape.kv_heads * dim;
        AttentionWeights weights{
            .q_proj = linear(name + ".q_proj", rows, hidden, config_.qkv_bias),
            .k_proj = linear(name + ".k_proj", kv_rows, hidden, config_.qkv_bias),
            .v_proj = linear(name + ".v_proj", kv_rows, hidden, config_.qkv_bias),
            .o_proj = linear(name + ".o_proj", hidden, rows, config_.o_bias),
            .q_norm = {},
            .k_norm = {}};
        if (config_.qk_norm) {
            weights.q_norm = tensor(name + ".q_norm.weight", {dim});
            weights.k_norm = tensor(name + ".k_norm.weight", {dim});
        }
        return weights;
    }

    MlpWeights mlp(const std::string& name, std::int64_t width) const {
        std::int64_t hidden = config_.hidden;
        bool bias = config_.mlp_bias;
        MlpWeights weights{.gate_proj = {},
                           .up_proj = linear(name + ".up_proj", width, hidden, bias),
                           .down_proj = linear(name + ".down_proj", hidden, width, bias)};
        if (config_.gated)
            weights.gate_proj = linear(name + ".gate_proj", width, hidden, bias);
        return weights;
    }

    LayerWeights layer(const std::string& name, const Layer& shape) const {
        LayerWeights weights;
        bool four = config_.four_norms;
        if (shape.attention) {
            weights.attention = attention(name + ".self_attn", *shape.attention);
            weights.attention_norm = norm(name + ".input_layernorm");
            if (four)
                weights.attention_out_norm = norm(name + ".post_attention_layernorm");
        }
        if (shape.mlp) {
            weights.mlp = mlp(name + ".mlp", shape.mlp->width);
            weights.mlp_norm =
                norm(name + (four ? ".pre_feedforward_layernorm" : ".post_attention_layernorm"));
            if (four)
                weights.mlp_out_norm = norm(name + ".post_feedforward_layernorm");
        }
        return weights;
    }

private:
    const ModelConfig& config_;
    const TensorSource& source_;
};

}  // namespace

Decoder build_decoder(const ModelConfig& config, const TensorSource& source) {
    Taker take(config, source);
    Decoder decoder;
    decoder.config = config;
    decoder.embed_tokens = take.tensor("model.embed_tokens.weight", {config.vocab, config.hidden});
    for (std::size_t i = 0; i < config.layers.size(); i++)
        decoder.layers.push_back(take.layer(fmt::format("model.layers.{}", i), config.layers[i]));
    decoder.norm = take.norm("model.norm");
    decoder.lm_head = config.tied ? decoder.embed_tokens
                                  : take.tensor("lm_head.weight", {config.vocab, config.hidden});
    return decoder;
}

}  // namespace stillroom::lm
