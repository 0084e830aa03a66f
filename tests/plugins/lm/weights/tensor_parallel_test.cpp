#include "plugins/lm/weights/tensor_parallel.h"

#include "engine/base/error.h"
#include "plugins/lm/config/new_config.h"
#include "plugins/lm/weights/loads_in.h"

#include <doctest/doctest.h>

namespace stillroom::lm {
namespace {

ModelConfig model_of(std::int64_t heads, std::int64_t kv_heads, std::int64_t ffn = 64) {
    return new_model({.family = Family::qwen3,
                      .hidden = 64,
                      .layers = 2,
                      .heads = heads,
                      .kv_heads = kv_heads,
                      .head_dim = 8,
                      .ffn = ffn,
                      .vocab = 96});
}

TEST_CASE("sizes divide heads, widths and vocabulary, and fit the KV heads") {
    CHECK(tp_sizes(model_of(8, 2)) == std::vector<std::int64_t>{1, 2, 4, 8});
    CHECK(tp_sizes(model_of(12, 4, 96)) == std::vector<std::int64_t>{1, 2, 4, 12});
    CHECK(tp_sizes(model_of(8, 2, 20)) == std::vector<std::int64_t>{1, 2, 4});
    CHECK(tp_sizes(model_of(9, 3)) == std::vector<std::int64_t>{1});
}

TEST_CASE("ranks hold all of a weight, once each, but for KV heads that repeat") {
    WeightTable table = weight_table(model_of(8, 2));
    const Weight* q = table.find("model.layers.0.self_attn.q_proj.weight");
    CHECK(tp_part(*q, 4, 1) == Runs{{16, 16}});
    const Weight* k = table.find("model.layers.0.self_attn.k_proj.weight");
    CHECK(tp_part(*k, 2, 1) == Runs{{8, 8}});
    CHECK(tp_part(*k, 4, 1) == Runs{{0, 8}});
    CHECK(tp_part(*k, 4, 2) == Runs{{8, 8}});
    const Weight* norm = table.find("model.norm.weight");
    CHECK(tp_part(*norm, 4, 3) == Runs{{0, 64}});
    CHECK_THROWS_WITH_AS(
        tp_part(*q, 3, 0),
        "model.layers.0.self_attn.q_proj.weight: num_attention_heads 8 do not divide over 3 "
        "tensor-parallel ranks",
        Error);
}

TEST_CASE("a fused tensor is split segment by segment") {
    Weight qkv;
    qkv.name = "qkv";
    qkv.dims = {Dim{{Segment{{Axis::heads, 4}, {Axis::head_dim, 8}},
                     Segment{{Axis::kv_heads, 2}, {Axis::head_dim, 8}},
                     Segment{{Axis::kv_heads, 2}, {Axis::head_dim, 8}}}},
                Dim{{Segment{{Axis::hidden, 64}}}}};
    qkv.tp_dim = 0;
    CHECK(qkv.shape() == Shape{64, 64});
    CHECK(tp_part(qkv, 2, 1) == Runs{{16, 16}, {40, 8}, {56, 8}});
    CHECK(tp_part(qkv, 4, 3) == Runs{{24, 8}, {40, 8}, {56, 8}});
}

TEST_CASE("who loads a model, and why not") {
    ModelConfig model = model_of(8, 2);
    for (const LoadsIn& runtime : loads_in(model))
        CHECK(runtime.loads);
    CHECK(loads_in(model)[1].note == "tensor-parallel sizes 1, 2, 4, 8");
    CHECK(loads_in(model)[4].note ==
          "as GGUF: rows are no multiple of 256, which its K-quants need");
    model.family = Family::llama;
    model.hidden = 60;
    CHECK_FALSE(loads_in(model)[0].loads);
    CHECK(loads_in(model)[4].loads);
    model.layers[0].mlp->width = 32;
    for (const LoadsIn& runtime : loads_in(model)) {
        CHECK_FALSE(runtime.loads);
        CHECK(runtime.note.find("unequal shapes") != std::string::npos);
    }
}

}  // namespace
}  // namespace stillroom::lm
