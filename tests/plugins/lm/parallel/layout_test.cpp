#include "plugins/lm/parallel/layout.h"

#include "plugins/lm/config/model_config.h"

#include <doctest/doctest.h>

using namespace stillroom::lm;

namespace {

ModelConfig model(std::size_t layers) {
    ModelConfig config;
    Layer layer{
        .attention =
            Attention{.heads = 32, .kv_heads = 8, .head_dim = 128, .window = {}, .rope = {}},
        .mlp = Mlp{.width = 12288}};
    config.layers.assign(layers, layer);
    return config;
}

std::vector<std::string> told(const LayoutWish& wish, std::int64_t world, std::size_t layers = 36) {
    std::vector<LayoutProblem> problems;
    lay_out(wish, world, model(layers), problems);
    std::vector<std::string> messages;
    for (const LayoutProblem& problem : problems)
        messages.push_back(problem.message + "; " + problem.hint);
    return messages;
}

std::vector<int> stages(const LayoutWish& wish, std::size_t layers) {
    std::vector<LayoutProblem> problems;
    Layout layout = lay_out(wish, wish.pipeline, model(layers), problems);
    CHECK(problems.empty());
    return layout.stage_layers;
}

}  // namespace

TEST_CASE("layers go over stages of a pipeline as the reference shares them") {
    CHECK(stages({.pipeline = 4}, 36) == std::vector{9, 9, 9, 9});
    CHECK(stages({.pipeline = 4, .first_layers = 8, .last_layers = 8}, 36) ==
          std::vector{8, 10, 10, 8});
    CHECK(stages({.pipeline = 4, .first_layers = 15, .last_layers = 15}, 62) ==
          std::vector{15, 16, 16, 15});
    CHECK(stages({.pipeline = 2, .first_layers = 10, .last_layers = 26}, 36) ==
          std::vector{10, 26});
    CHECK(stages({.pipeline = 3, .last_layers = 4}, 36) == std::vector{16, 16, 4});
}

TEST_CASE("what does not divide is told, all at once, with what would") {
    CHECK(told({.pipeline = 4, .first_layers = 7, .last_layers = 8}, 4) ==
          std::vector<std::string>{
              "pipeline 4: 36 layers - first 7 - last 8 = 21 do not divide over 2 middle stages; "
              "first and last leave a number of layers that divides over the others"});
    CHECK(told({.pipeline = 2, .first_layers = 10, .last_layers = 10}, 2) ==
          std::vector<std::string>{"pipeline 2: 36 layers - first 10 - last 10 = 16, and no stage "
                                   "is left for them; first and last must be 36 together"});
    CHECK(told({.tensor = 12, .pipeline = 5}, 7) ==
          std::vector<std::string>{
              "ranks 7 is not a multiple of tensor 12 x pipeline 5 = 60; `ranks: 60` would do",
              "32 heads do not divide over tensor 12; these do: 1, 2, 4, 8",
              "pipeline 5: 36 layers do not divide over 5 stages; these divide: 1, 2, 3, 4"});
    CHECK(told({.tensor = 2, .data = 3}, 4).front() ==
          "ranks 4 is not tensor 2 x pipeline 1 x data 3 = 6; `ranks: 6` would do");
    CHECK(told({.pipeline = 40}, 40).front() ==
          "pipeline 40: there are 36 layers, and every stage needs one; at most 36");
    CHECK(told({.tensor = 16}, 16).empty());  // each KV head on two ranks
    CHECK(told({.first_layers = 4}, 1).size() == 1);
}

TEST_CASE("a batch that does not go evenly over the ranks names the nearest that do") {
    CHECK_FALSE(uneven_batch(96, 1, 8));
    CHECK(uneven_batch(100, 1, 8)->message ==
          "global_batch 100 is not a multiple of micro_batch 1 x data 8");
    CHECK(uneven_batch(100, 1, 8)->hint == "nearest 96, 104");
    CHECK(uneven_batch(3, 1, 8)->hint == "nearest 8");
}

TEST_CASE("tensor ranks are neighbours, then come copies, then stages") {
    std::vector<LayoutProblem> problems;
    Layout layout = lay_out({.tensor = 2, .pipeline = 2}, 12, model(36), problems);
    CHECK(layout.world() == 12);
    CHECK(layout.data == 3);
    CHECK(layout.place(7) == LayoutPlace{.tensor = 1, .data = 0, .pipeline = 1});
    CHECK(layout.tensor_ranks(7) == std::vector{6, 7});
    CHECK(layout.data_ranks(7) == std::vector{7, 9, 11});
    CHECK(layout.pipeline_ranks(7) == std::vector{1, 7});
    CHECK(layout.first_layer(1) == 18);
    for (int rank = 0; rank < 12; rank++)
        CHECK(layout.rank(layout.place(rank)) == rank);
}
