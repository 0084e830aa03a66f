#include "plugins/lm/kernels/accumulate.h"

#include <doctest/doctest.h>

#include <vector>

using namespace stillroom;

TEST_CASE("a gradient is added to the main gradient, scaled") {
    std::vector<float> main{1, 2, 3};
    std::vector<float> gradient{8, -4, 0.5};
    lm::accumulate_plain(main.data(), gradient.data(), 0.25f, 2);
    CHECK(main == std::vector<float>{3, 1, 3});  // the third lies past the count
}
