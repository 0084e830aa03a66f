#include "plugins/prune/orders.h"

#include "tests/plugins/prune/models.h"

#include <doctest/doctest.h>

namespace stillroom::prune {
namespace {

using Indices = std::vector<std::int64_t>;

lm::ModelConfig tiny() {
    return model_of({.layers = 4,
                     .hidden = 4,
                     .ffn = 4,
                     .heads = 4,
                     .kv_heads = 2,
                     .head_dim = 2,
                     .vocab = 10});
}

Scores tiny_scores() {
    Scores out;
    out.hidden = {1, 4, 4, 2};
    out.ffn.assign(4, {3, 1, 2, 4});
    out.heads.assign(4, {2.236068F, 5, 2.828427F, 5});
    out.layers = {0.5F, 0.1F, 0.2F, 0.9F};
    return out;
}

}  // namespace

TEST_CASE("the order is by falling importance, and of equal ones the first is first") {
    CHECK(descending(std::vector<float>{1, 4, 4, 2}) == Indices{1, 2, 3, 0});
}

TEST_CASE("heads are ranked inside their group, and one of each group stays") {
    Orders orders(tiny(), tiny_scores());
    CHECK(orders.heads(0) == Indices{1, 3, 0, 2});  // rank by rank: a leading slice is even
    lm::Cut cut = orders.cut({.layers = 4, .hidden = 4, .ffn = 4, .heads = 2, .kv_heads = 2}, {});
    CHECK(*cut.layers[0].heads == Indices{1, 3});
    CHECK(!cut.layers[0].kv_heads);
    CHECK(!cut.hidden);
}

TEST_CASE("survivors stand in ascending order, layers too") {
    Orders orders(tiny(), tiny_scores());
    lm::Cut cut = orders.cut({.layers = 2, .hidden = 3, .ffn = 2, .heads = 4, .kv_heads = 2}, {});
    CHECK(*cut.hidden == Indices{1, 2, 3});
    CHECK(*cut.layers[0].ffn == Indices{0, 3});
    REQUIRE(cut.layers.size() == 2);
    CHECK(cut.layers[0].layer == 0);
    CHECK(cut.layers[1].layer == 3);
}

TEST_CASE("layers that somebody names stay, whatever their scores") {
    Orders orders(tiny(), tiny_scores());
    lm::Cut cut =
        orders.cut({.layers = 2, .hidden = 4, .ffn = 4, .heads = 4, .kv_heads = 2}, Indices{1, 2});
    CHECK(cut.layers[0].layer == 1);
    CHECK(cut.layers[1].layer == 2);
}

TEST_CASE("a block of layers goes where its sum is least") {
    Scores scores = tiny_scores();
    scores.layers = {0.1F, 0.9F, 0.3F, 0.4F};
    CHECK(Orders(tiny(), scores).layers(2) == Indices{1, 3});
    CHECK(Orders(tiny(), scores, {.block = true}).layers(2) == Indices{0, 1});
}

TEST_CASE("whole groups go by the norm of their heads' scores") {
    Scores scores = tiny_scores();
    scores.heads.assign(4, {1, 2, 2, 2});
    Orders orders(tiny(), scores, {.prune_kv_groups = true});
    CHECK(orders.kv_heads(0) == Indices{1, 0});
    lm::Cut cut = orders.cut({.layers = 4, .hidden = 4, .ffn = 4, .heads = 2, .kv_heads = 1}, {});
    CHECK(*cut.layers[0].kv_heads == Indices{1});
    CHECK(*cut.layers[0].heads == Indices{2, 3});
    Orders fewer(tiny(), scores, {.prune_kv_groups = true, .group_heads = 1});
    CHECK(*fewer.cut({.layers = 4, .hidden = 4, .ffn = 4, .heads = 1, .kv_heads = 1}, {})
               .layers[0]
               .heads == Indices{2});
}

TEST_CASE("the original shape cuts nothing") {
    Orders orders(tiny(), tiny_scores());
    lm::Cut cut = orders.cut(orders.original(), {});
    CHECK(!cut.hidden);
    for (const lm::LayerCut& layer : cut.layers)
        CHECK((!layer.ffn && !layer.heads && !layer.kv_heads));
    CHECK(cut.layers.size() == 4);
}

TEST_CASE("a size that was not measured cannot be cut") {
    Scores scores = tiny_scores();
    scores.ffn.clear();
    Shape original = shape_of(tiny()), fewer = original;
    fewer.ffn = 2;
    CHECK_THROWS_WITH(require_scores(scores, original, fewer, false),
                      "ffn_hidden_size is to be cut, but the scores did not measure it");
    scores.layers.clear();
    fewer = original;
    fewer.layers = 2;
    CHECK_THROWS(require_scores(scores, original, fewer, false));
    CHECK_NOTHROW(require_scores(scores, original, fewer, true));
}

}  // namespace stillroom::prune
