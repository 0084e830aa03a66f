#include "plugins/lm/data/blend_order.h"

#include <doctest/doctest.h>

namespace stillroom::lm {
namespace {

using Order = std::vector<std::int16_t>;

TEST_CASE("a blend takes from whoever is furthest behind, the first among equals") {
    CHECK(blend_order(normalized(std::vector{.7, .2, .1}), 10).dataset ==
          Order{0, 1, 0, 2, 0, 0, 0, 1, 0, 0});
    BlendOrder order = blend_order(std::vector{.5, .3, .2}, 10);
    CHECK(order.dataset == Order{0, 1, 2, 0, 1, 0, 2, 0, 1, 0});
    CHECK(order.sample == std::vector<std::int64_t>{0, 0, 0, 1, 1, 2, 1, 3, 2, 4});
}

TEST_CASE("an exhaustive order gives every sample once, and passes over what has none") {
    BlendOrder order = exhaustive_order(std::vector<std::int64_t>{3, 0, 1});
    CHECK(order.dataset == Order{0, 2, 0, 0});
    CHECK(order.sample == std::vector<std::int64_t>{0, 0, 1, 2});
    CHECK(exhaustive_order(std::vector<std::int64_t>{0, 0}).size() == 0);
}

TEST_CASE("weights are divided by their sum as NumPy adds it up") {
    CHECK(normalized(std::vector{7., 2., 1.}) == std::vector{.7, .2, .1});
    CHECK(normalized(std::vector{.7, .2, .1}).front() == 0.7000000000000001);
}

}  // namespace
}  // namespace stillroom::lm
