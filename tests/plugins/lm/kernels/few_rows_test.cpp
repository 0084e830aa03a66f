#include "plugins/lm/kernels/few_rows.h"

#include "tests/plugins/lm/kernels/tiers.h"

#include <doctest/doctest.h>

#include <bit>
#include <cmath>

using namespace stillroom::lm;

TEST_CASE("few rows times a bf16 weight are their twin's on every tier, whatever their number") {
    for (Tier tier : tiers())
        for (std::size_t rows : {1, 2, 3, 4, 5, 16})
            for (std::size_t words : {1, 3, 4, 9})
                for (std::size_t depth : {1, 15, 16, 40}) {
                    CAPTURE(static_cast<int>(tier));
                    CAPTURE(rows);
                    CAPTURE(words);
                    CAPTURE(depth);
                    std::size_t x_row = depth + 1, weight_row = depth + 3, y_row = words + 2;
                    std::vector<float> x = wave(rows * x_row, 0.7, 2),
                                       found = wave(rows * y_row, 0.3, 1), expected = found;
                    std::vector<Bf16> weight;
                    for (float value : wave(words * weight_row, 1.1, 2))
                        weight.push_back({static_cast<std::uint16_t>(
                            std::bit_cast<std::uint32_t>(value) >> 16)});
                    FewRows product{.rows = rows,
                                    .words = words,
                                    .depth = depth,
                                    .x = x.data(),
                                    .x_row = x_row,
                                    .weight = weight.data(),
                                    .weight_row = weight_row,
                                    .y = found.data(),
                                    .y_row = y_row};
                    multiply_few(tier, product);
                    product.y = expected.data();
                    multiply_few_plain(product);
                    for (std::size_t i = 0; i < found.size(); i++)  // also between the rows
                        CHECK(std::abs(found[i] - expected[i]) <= 3e-5);
                }
}
