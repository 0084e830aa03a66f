#include "plugins/lm/weights/weight_table.h"

#include <doctest/doctest.h>

namespace stillroom::lm {
namespace {

ModelConfig small_llama() {
    ModelConfig config;
    config.vocab = 100;
    config.hidden = 24;
    Layer layer;
    layer.attention = Attention{.heads = 4, .kv_heads = 2, .head_dim = 8, .window = {}, .rope = {}};
    layer.mlp = Mlp{.width = 40};
    config.layers = {layer, layer};
    return config;
}

TEST_CASE("a Llama has nine tensors a layer and three besides") {
    WeightTable table = weight_table(small_llama());
    CHECK(table.size() == 3 + 2 * 9);
    const Weight* q = table.find("model.layers.1.self_attn.q_proj.weight");
    REQUIRE(q);
    CHECK(q->shape() == Shape{32, 24});
    CHECK(q->layer == 1);
    CHECK(q->tp_dim == 0);
    CHECK(q->gguf == "blk.1.attn_q.weight");
    CHECK(q->gguf_transform == GgufTransform::pair_rows);
    CHECK(to_string(q->dims[0]) == "heads 4 x head_dim 8");
    CHECK(config_keys(q->dims[0]) == "num_attention_heads x head_dim");
    CHECK(table.find_gguf("blk.1.attn_q.weight") == q);
    CHECK(table.find("model.layers.0.self_attn.o_proj.weight")->tp_dim == 1);
    CHECK(table.find("model.layers.0.mlp.down_proj.weight")->shape() == Shape{24, 40});
    CHECK_FALSE(table.find("model.layers.2.mlp.down_proj.weight"));
}

TEST_CASE("a tied model has no head, an absent block no tensor") {
    ModelConfig config = small_llama();
    config.tied = true;
    config.layers[0].attention.reset();
    config.layers[1].mlp.reset();
    WeightTable table = weight_table(config);
    CHECK_FALSE(table.find("lm_head.weight"));
    CHECK_FALSE(table.find("model.layers.0.input_layernorm.weight"));
    CHECK(table.find("model.layers.0.post_attention_layernorm.weight"));
    CHECK_FALSE(table.find("model.layers.1.mlp.up_proj.weight"));
    CHECK(table.size() == 2 + 4 + 5);
}

TEST_CASE("a bias of rows is split with them, a bias of columns is whole on every rank") {
    ModelConfig config = small_llama();
    config.qkv_bias = config.o_bias = true;
    WeightTable table = weight_table(config);
    CHECK(table.find("model.layers.0.self_attn.k_proj.bias")->tp_dim == 0);
    CHECK(table.find("model.layers.0.self_attn.k_proj.bias")->shape() == Shape{16});
    CHECK_FALSE(table.find("model.layers.0.self_attn.o_proj.bias")->tp_dim);
}

TEST_CASE("where branches are normed twice the same name means another norm") {
    ModelConfig config = small_llama();
    config.family = Family::gemma3;
    config.norm = Norm::rms_plus_one;
    config.four_norms = config.qk_norm = true;
    WeightTable table = weight_table(config);
    const Weight* after = table.find("model.layers.0.post_attention_layernorm.weight");
    REQUIRE(after);
    CHECK(after->gguf == "blk.0.post_attention_norm.weight");
    CHECK(after->gguf_transform == GgufTransform::plus_one);
    CHECK(table.find_gguf("blk.0.ffn_norm.weight")->name ==
          "model.layers.0.pre_feedforward_layernorm.weight");
    CHECK(table.find_gguf("blk.0.attn_q_norm.weight")->shape() == Shape{8});
    CHECK(table.find_gguf("blk.0.attn_q.weight")->gguf_transform == GgufTransform::none);
}

}  // namespace
}  // namespace stillroom::lm
