#include "plugins/lm/kernels/adamw.h"

#include "tests/plugins/lm/kernels/tiers.h"

#include <doctest/doctest.h>

#include <bit>
#include <limits>

using namespace stillroom::lm;

TEST_CASE("three updates of one number are the golden ones, with and without decay") {
    for (auto [decay, expected] :
         {std::pair{0.1, std::vector{0.989000001, 0.991644740, 0.987269023}},
          std::pair{0.0, std::vector{0.990000001, 0.993633740, 0.990249668}}}) {
        double p = 1, m = 0, v = 0;
        AdamwStep step{.lr = 0.01, .beta1 = 0.9, .beta2 = 0.95, .eps = 1e-8, .decay = decay};
        for (double gradient : {0.1, -0.2, 0.3}) {
            adamw_plain(step, p, m, v, gradient);
            CHECK(p ==
                  doctest::Approx(expected[static_cast<std::size_t>(step.step - 1)]).epsilon(1e-9));
            step.step++;
        }
        CHECK(m == doctest::Approx(0.0201).epsilon(1e-9));
        CHECK(v == doctest::Approx(0.00685125).epsilon(1e-9));
    }
}

TEST_CASE(
    "updates of a buffer are their twin's on every tier, bf16 is what the master rounds to, and "
    "their squares are added up") {
    for (Tier tier : tiers())
        for (std::size_t count : {1, 5, 16, 33, 5000}) {
            CAPTURE(static_cast<int>(tier));
            std::vector<float> master = wave(count, 0.7, 2), mean(count), square(count);
            std::vector<double> p(master.begin(), master.end()), m(count), v(count);
            std::vector<Bf16> rounded(count);
            AdamwStep step{.lr = 0.01, .decay = 0.1, .factor = 0.5};
            for (step.step = 1; step.step <= 20; step.step++) {
                std::vector<float> gradient =
                    wave(count, 0.3 + 0.1 * static_cast<double>(step.step), 0.1);
                gradient[0] = 0;  // whose root is of 0
                double squares = adamw(tier,
                                       step,
                                       master.data(),
                                       mean.data(),
                                       square.data(),
                                       gradient.data(),
                                       step.step % 2 == 0 ? rounded.data() : nullptr,
                                       count);
                CHECK(squares ==
                      doctest::Approx(sum_of_squares(tier, master.data(), count)).epsilon(1e-15));
                for (std::size_t i = 0; i < count; i++)
                    adamw_plain(step, p[i], m[i], v[i], double{gradient[i]});
            }
            for (std::size_t i = 0; i < count; i++) {
                CHECK(std::abs(master[i] - p[i]) <= 2e-6);
                CHECK(std::abs(mean[i] - m[i]) <= 1e-7);
                CHECK(std::abs(square[i] - v[i]) <= 1e-9);
                float kept = std::bit_cast<float>(std::uint32_t{rounded[i].bits} << 16);
                CHECK(std::abs(kept - master[i]) <= std::abs(master[i]) / 256);
            }
        }
}

TEST_CASE("a sum of squares is exact enough, and shows what is no number") {
    for (Tier tier : tiers())
        for (std::size_t count : {1, 17, 4096, 10'000}) {
            std::vector<float> x = wave(count, 0.7, 3);
            double expected = 0;
            for (float value : x)
                expected += double{value} * value;
            CHECK(sum_of_squares(tier, x.data(), count) == doctest::Approx(expected).epsilon(1e-6));
            if (count > kSquareBlock)
                CHECK(sum_of_squares(tier, x.data(), kSquareBlock) +
                          sum_of_squares(tier, x.data() + kSquareBlock, count - kSquareBlock) ==
                      doctest::Approx(sum_of_squares(tier, x.data(), count)).epsilon(1e-15));
            x[count / 2] = std::numeric_limits<float>::quiet_NaN();
            CHECK(std::isnan(sum_of_squares(tier, x.data(), count)));
        }
}

TEST_CASE("a norm below the limit clips nothing, one above it all alike") {
    CHECK(clip_factor(0.5, 1) == 1);
    CHECK(clip_factor(4, 1) == doctest::Approx(0.25).epsilon(1e-6));
    CHECK(clip_factor(0, 1) == 1);
}
