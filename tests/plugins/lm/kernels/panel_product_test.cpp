#include "plugins/lm/kernels/panel_product.h"

#include "tests/plugins/lm/kernels/tiers.h"

#include <doctest/doctest.h>

#include <bit>

using namespace stillroom::lm;

TEST_CASE("a product of panels is its twin's on every tier, whatever its size") {
    constexpr std::size_t kSizes[] = {1, 3, 8, 13, 16, 48, 57};
    for (Tier tier : tiers())
        for (std::size_t rows : kSizes)
            for (std::size_t columns : kSizes)
                for (std::size_t depth : {1, 7, 48})
                    for (bool turned : {false, true}) {
                        CAPTURE(static_cast<int>(tier));
                        CAPTURE(rows);
                        CAPTURE(columns);
                        std::size_t b_row = columns + 3, c_row = columns + 2;
                        std::vector<float> a = wave(rows * depth, 0.7, 2),
                                           b = wave(depth * b_row, 1.1, 2),
                                           found = wave(rows * c_row, 0.3, 1), expected = found;
                        PanelProduct product{.rows = rows,
                                             .columns = columns,
                                             .depth = depth,
                                             .a = a.data(),
                                             .a_row = turned ? 1 : depth,
                                             .a_depth = turned ? rows : 1,
                                             .b = b.data(),
                                             .b_row = b_row,
                                             .c = found.data(),
                                             .c_row = c_row,
                                             .add = rows % 2 == 0,
                                             .next = a.data(),
                                             .next_bytes = a.size() * sizeof(float)};
                        multiply(tier, product);
                        product.c = expected.data();
                        multiply_plain(product);
                        for (std::size_t i = 0; i < found.size(); i++)  // also between the rows
                            CHECK(std::abs(found[i] - expected[i]) <= 3e-5);
                    }
}

TEST_CASE("bf16 becomes the same numbers in fp32 on every tier") {
    for (Tier tier : tiers())
        for (std::size_t count : {1, 5, 16, 33}) {
            std::vector<Bf16> halves(count);
            std::vector<float> found(count + 1, 7);
            for (std::size_t i = 0; i < count; i++)
                halves[i].bits = static_cast<std::uint16_t>(0x3f80 + 37 * i);
            widen(tier, halves.data(), found.data(), count);
            for (std::size_t i = 0; i < count; i++)
                CHECK(std::bit_cast<std::uint32_t>(found[i]) == std::uint32_t{halves[i].bits}
                                                                    << 16);
            CHECK(found[count] == 7);
        }
}
