#include "plugins/lm/kernels/likely.h"

#include "tests/plugins/lm/kernels/tiers.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <limits>

using namespace stillroom::lm;

TEST_CASE("the likeliest words of a row are found on every tier, and NaN wherever it is") {
    for (Tier tier : tiers())
        for (std::size_t count : {1, 15, 64, 65, 1000, 49152}) {
            CAPTURE(static_cast<int>(tier));
            CAPTURE(count);
            std::vector<float> row = wave(count, 0.37, 9);
            Peaks peaks(tier, row);
            CHECK(peaks.most() == *std::max_element(row.begin(), row.end()));
            for (float least : {peaks.most(), 5.0F, -20.0F}) {
                std::vector<std::int32_t> words, expected;
                for (std::size_t i = 0; i < count; i++)
                    if (row[i] >= least)
                        expected.push_back(static_cast<std::int32_t>(i));
                peaks.collect(least, words);
                CHECK(words == expected);
            }
            for (std::size_t i : {std::size_t{0}, count / 2, count - 1}) {
                std::vector<float> bad = row;
                bad[i] = std::numeric_limits<float>::quiet_NaN();
                CHECK(std::isnan(Peaks(tier, bad).most()));
            }
        }
}

TEST_CASE("the weights of a row sum to what they do in double, at any temperature") {
    for (Tier tier : tiers())
        for (double temperature : {1e-40, 0.1, 1.0, 7.5}) {
            CAPTURE(static_cast<int>(tier));
            CAPTURE(temperature);
            std::vector<float> row = wave(5000, 0.37, 20);
            row[17] = -std::numeric_limits<float>::infinity();
            float most = *std::max_element(row.begin(), row.end());
            double expected = 0;
            for (float x : row)
                expected += std::exp((double{x} - most) / temperature);
            CHECK(sum_of_weights(tier, row, most, temperature) ==
                  doctest::Approx(expected).epsilon(1e-6));
        }
}
