#include "plugins/lm/weights/decoder_table.h"

#include "plugins/lm/config/families.h"

#include <fmt/format.h>

namespace stillroom::lm {
namespace {

class Builder {
public:
    explicit Builder(const ModelConfig& config) : config_(config) {
        hidden_ = one(Axis::hidden, config.hidden);
        vocab_ = one(Axis::vocab, config.vocab);
    }

    std::vector<Weight> decoder() {
        add("model.embed_tokens.weight", "token_embd.weight", {vocab_, hidden_}, 0);
        for (std::size_t i = 0; i < config_.layers.size(); ++i)
            add_layer(static_cast<int>(i), config_.layers[i]);
        layer_ = -1;
        add_norm("model.norm", "output_norm", hidden_);
        if (!config_.tied)
            add("lm_head.weight", "output.weight", {vocab_, hidden_}, 0);
        return std::move(weights_);
    }

private:
    static Dim one(Axis axis, std::int64_t size) { return Dim{{Segment{{axis, size}}}}; }

    static Dim product(Axis first, std::int64_t first_size, Axis then, std::int64_t then_size) {
        return Dim{{Segment{{first, first_size}, {then, then_size}}}};
    }

    void add_layer(int index, const Layer& layer) {
        layer_ = index;
        // Where each branch's output is normed too, four norms change their names.
        bool four = config_.four_norms;
        if (layer.attention) {
            add_norm("input_layernorm", "attn_norm", hidden_);
            add_attention(*layer.attention);
            if (four)
                add_norm("post_attention_layernorm", "post_attention_norm", hidden_);
        }
        if (layer.mlp) {
            add_norm(four ? "pre_feedforward_layernorm" : "post_attention_layernorm",
                     "ffn_norm",
                     hidden_);
            add_mlp(*layer.mlp);
            if (four)
                add_norm("post_feedforward_layernorm", "post_ffw_norm", hidden_);
        }
    }

    void add_attention(const Attention& attention) {
        Dim q = product(Axis::heads, attention.heads, Axis::head_dim, attention.head_dim);
        Dim kv = product(Axis::kv_heads, attention.kv_heads, Axis::head_dim, attention.head_dim);
        bool pairs = traits_of(config_.family).pairs_in_gguf;
        GgufTransform rows = pairs ? GgufTransform::pair_rows : GgufTransform::none;
        bool bias = config_.qkv_bias;
        add_linear("self_attn.q_proj", "attn_q", q, hidden_, 0, bias, rows);
        add_linear("self_attn.k_proj", "attn_k", kv, hidden_, 0, bias, rows);
        add_linear("self_attn.v_proj", "attn_v", kv, hidden_, 0, bias);
        if (config_.qk_norm) {
            Dim head = one(Axis::head_dim, attention.head_dim);
            add_norm("self_attn.q_norm", "attn_q_norm", head);
            add_norm("self_attn.k_norm", "attn_k_norm", head);
        }
        add_linear("self_attn.o_proj", "attn_output", hidden_, q, 1, config_.o_bias);
    }

    void add_mlp(const Mlp& mlp) {
        Dim ffn = one(Axis::ffn, mlp.width);
        bool bias = config_.mlp_bias;
        if (config_.gated)
            add_linear("mlp.gate_proj", "ffn_gate", ffn, hidden_, 0, bias);
        add_linear("mlp.up_proj", "ffn_up", ffn, hidden_, 0, bias);
        add_linear("mlp.down_proj", "ffn_down", hidden_, ffn, 1, bias);
    }

    void add_norm(std::string_view name, std::string_view gguf, const Dim& width) {
        GgufTransform transform =
            config_.norm == Norm::rms ? GgufTransform::none : GgufTransform::plus_one;
        add(fmt::format("{}.weight", name), fmt::format("{}.weight", gguf), {width}, {}, transform);
        if (config_.norm == Norm::layer_plus_one)
            add(fmt::format("{}.bias", name), fmt::format("{}.bias", gguf), {width}, {});
    }

    /// Split by rows its bias is split with them, split by columns every rank has the whole bias.
    void add_linear(std::string_view name,
                    std::string_view gguf,
                    const Dim& rows,
                    const Dim& columns,
                    int tp_dim,
                    bool bias,
                    GgufTransform transform = GgufTransform::none) {
        add(fmt::format("{}.weight", name),
            fmt::format("{}.weight", gguf),
            {rows, columns},
            tp_dim,
            transform);
        if (bias)
            add(fmt::format("{}.bias", name),
                fmt::format("{}.bias", gguf),
                {rows},
                tp_dim == 0 ? std::optional<int>(0) : std::nullopt,
                transform);
    }

    void add(std::string_view name,
             std::string_view gguf,
             std::vector<Dim> dims,
             std::optional<int> tp_dim,
             GgufTransform transform = GgufTransform::none) {
        Weight weight;
        if (layer_ < 0) {
            weight.name = name;
            weight.gguf = gguf;
        } else {
            weight.name = fmt::format("model.layers.{}.{}", layer_, name);
            weight.gguf = fmt::format("blk.{}.{}", layer_, gguf);
        }
        weight.dims = std::move(dims);
        weight.layer = layer_;
        weight.tp_dim = tp_dim;
        weight.gguf_transform = transform;
        weights_.push_back(std::move(weight));
    }

    const ModelConfig& config_;
    Dim hidden_, vocab_;
    int layer_ = -1;
    std::vector<Weight> weights_;
};

}  // namespace

std::vector<Weight> decoder_weights(const ModelConfig& config) {
    return Builder(config).decoder();
}

}  // namespace stillroom::lm
