#include "plugins/lm/weights/slice.h"

#include "engine/base/error.h"
#include "plugins/lm/config/new_config.h"

#include <doctest/doctest.h>

namespace stillroom::lm {
namespace {

ModelConfig small(Family family = Family::qwen3) {
    return new_model({.family = family,
                      .hidden = 6,
                      .layers = 3,
                      .heads = 4,
                      .kv_heads = 2,
                      .head_dim = 8,
                      .ffn = 5,
                      .vocab = 10});
}

const Slice& find(const std::vector<Slice>& all, std::string_view name) {
    for (const Slice& slice : all)
        if (slice.weight.name == name)
            return slice;
    throw Error({}, std::string(name));
}

std::string refusal(const Cut& cut) {
    try {
        cut_model(small(), cut);
        return "";
    } catch (const Error& error) {
        CHECK(error.exit_code() == kExitUsage);
        return error.what();
    }
}

TEST_CASE("a cut of nothing takes every tensor whole") {
    for (int family = 0; family < kFamilyCount; ++family) {
        ModelConfig model = small(static_cast<Family>(family));
        CHECK(cut_model(model, whole(model)) == model);
        std::vector<Slice> all = slices(model, whole(model));
        CHECK(all.size() == weight_table(model).size());
        for (const Slice& slice : all) {
            CHECK(slice.is_whole);
            CHECK(slice.source == slice.weight.name);
        }
    }
}

TEST_CASE("hidden channels are taken from every tensor that has them") {
    ModelConfig model = small();
    Cut cut = whole(model);
    cut.hidden = {0, 1, 4};
    std::vector<Slice> all = slices(model, cut);
    Runs hidden{{0, 2}, {4, 1}};
    CHECK(find(all, "model.embed_tokens.weight").dims == std::vector<Runs>{{{0, 10}}, hidden});
    CHECK(find(all, "lm_head.weight").dims == std::vector<Runs>{{{0, 10}}, hidden});
    CHECK(find(all, "model.norm.weight").dims == std::vector<Runs>{hidden});
    CHECK(find(all, "model.layers.1.self_attn.o_proj.weight").dims ==
          std::vector<Runs>{hidden, {{0, 32}}});
    CHECK(find(all, "model.layers.1.mlp.up_proj.weight").dims ==
          std::vector<Runs>{{{0, 5}}, hidden});
    CHECK(find(all, "model.layers.1.mlp.up_proj.weight").weight.shape() == Shape{5, 3});
    CHECK(find(all, "model.layers.1.self_attn.q_norm.weight").is_whole);
}

TEST_CASE("heads are taken with all of their dims, the same rows and columns") {
    ModelConfig model = small();
    Cut cut = whole(model);
    cut.layers[1].heads = {1, 3};
    std::vector<Slice> all = slices(model, cut);
    Runs heads{{8, 8}, {24, 8}};
    CHECK(find(all, "model.layers.1.self_attn.q_proj.weight").dims ==
          std::vector<Runs>{heads, {{0, 6}}});
    CHECK(find(all, "model.layers.1.self_attn.o_proj.weight").dims ==
          std::vector<Runs>{{{0, 6}}, heads});
    CHECK(find(all, "model.layers.1.self_attn.k_proj.weight").is_whole);
    CHECK(find(all, "model.layers.0.self_attn.q_proj.weight").is_whole);
    ModelConfig after = cut_model(model, cut);
    CHECK(after.layers[1].attention->heads == 2);
    CHECK(after.layers[0].attention->heads == 4);
    // A whole group, and another order inside of one.
    cut.layers[1].heads = {3, 2};
    cut.layers[1].kv_heads = {1};
    all = slices(model, cut);
    CHECK(find(all, "model.layers.1.self_attn.q_proj.weight").dims[0] == Runs{{24, 8}, {16, 8}});
    CHECK(find(all, "model.layers.1.self_attn.v_proj.weight").dims[0] == Runs{{8, 8}});
}

TEST_CASE("layers that stay are numbered anew, and blocks may go") {
    ModelConfig model = small();
    Cut cut = whole(model);
    cut.layers.erase(cut.layers.begin() + 1);
    cut.layers[1].ffn = {4, 0};
    cut.layers[0].attention = false;
    std::vector<Slice> all = slices(model, cut);
    const Slice& down = find(all, "model.layers.1.mlp.down_proj.weight");
    CHECK(down.source == "model.layers.2.mlp.down_proj.weight");
    CHECK(down.dims == std::vector<Runs>{{{0, 6}}, {{4, 1}, {0, 1}}});
    CHECK(down.weight.shape() == Shape{6, 2});
    CHECK_THROWS_AS(find(all, "model.layers.0.self_attn.q_proj.weight"), Error);
    CHECK(all.size() == 3 + 4 + 11);
}

TEST_CASE("a cut that does not fit is refused by name") {
    Cut cut = whole(small());
    cut.hidden = {6};
    CHECK(refusal(cut) == "index 6 of the hidden channels is kept: there are 6");
    cut.hidden = {1, 1};
    CHECK(refusal(cut) == "index 1 of the hidden channels is kept twice");
    cut.hidden = std::vector<std::int64_t>{};
    CHECK(refusal(cut) == "nothing of the hidden channels would stay");
    cut = whole(small());
    cut.layers[2].heads = {0, 1};
    CHECK(refusal(cut) == "layer 2: head 1 would read KV head 1 in place of 0");
    cut.layers[2].heads = {0, 2, 3};
    CHECK(refusal(cut) == "layer 2: 3 heads are no multiple of 2 KV heads");
    cut = whole(small());
    cut.layers[2].layer = 0;
    CHECK(refusal(cut) == "layer 0 is kept: the 3 layers count from 0, in order");
}

TEST_CASE("runs join where one goes on from the last") {
    std::vector<std::int64_t> indices{3, 4, 5, 9, 1, 2};
    CHECK(runs_of(indices) == Runs{{3, 3}, {9, 1}, {1, 2}});
    CHECK(count_of(runs_of(indices)) == 6);
}

}  // namespace
}  // namespace stillroom::lm
