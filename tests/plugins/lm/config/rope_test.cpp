#include "plugins/lm/config/rope.h"

#include <doctest/doctest.h>

#include <cmath>

namespace stillroom::lm {
namespace {

void check(const std::vector<double>& factors, std::size_t from, std::size_t to, double wanted) {
    for (std::size_t i = from; i <= to; ++i) {
        CAPTURE(i);
        CHECK(factors.at(i) == doctest::Approx(wanted).epsilon(5e-7));
    }
}

TEST_CASE("Llama 3.1 keeps short waves, divides long ones and passes between them") {
    Rope rope{.theta = 5e5,
              .rotary_dim = 128,
              .scaling = RopeScaling::llama3,
              .factor = 8,
              .original_length = 8192};
    std::vector<double> factors = rope_factors(rope);
    REQUIRE(factors.size() == 64);
    check(factors, 0, 28, 1);
    double between[] = {1.207484, 1.553415, 2.026313, 2.694530, 3.684253, 5.257327};
    for (std::size_t i = 0; i < 6; ++i)
        check(factors, 29 + i, 29 + i, between[i]);
    check(factors, 35, 63, 8);
}

TEST_CASE("Llama 3.2 1B does so on heads of 64") {
    Rope rope{.theta = 5e5,
              .rotary_dim = 64,
              .scaling = RopeScaling::llama3,
              .factor = 32,
              .original_length = 8192};
    std::vector<double> factors = rope_factors(rope);
    check(factors, 0, 14, 1);
    check(factors, 15, 15, 1.651329);
    check(factors, 16, 16, 3.292263);
    check(factors, 17, 17, 9.666730);
    check(factors, 18, 31, 32);
}

TEST_CASE("YaRN by 4 over 32768 on Qwen3") {
    Rope rope{.theta = 1e6,
              .rotary_dim = 128,
              .scaling = RopeScaling::yarn,
              .factor = 4,
              .original_length = 32768};
    std::vector<double> factors = rope_factors(rope);
    check(factors, 0, 23, 1);
    check(factors, 24, 24, 1.046154);
    check(factors, 30, 30, 1.446809);
    check(factors, 39, 39, 3.4);
    check(factors, 40, 63, 4);
    CHECK(yarn_attention_factor(4, 0, 0) == doctest::Approx(1.138629).epsilon(1e-6));
}

TEST_CASE("YaRN without rounding its bounds, as GPT-OSS has it") {
    Rope rope{.theta = 1.5e5,
              .rotary_dim = 64,
              .scaling = RopeScaling::yarn,
              .factor = 32,
              .original_length = 4096,
              .truncate = false};
    std::vector<double> factors = rope_factors(rope);
    check(factors, 0, 8, 1);
    check(factors, 9, 9, 1.104300);
    check(factors, 12, 12, 1.685695);
    check(factors, 17, 17, 13.757523);
    check(factors, 18, 31, 32);
    CHECK(yarn_attention_factor(32, 0, 0) == doctest::Approx(1.346574).epsilon(1e-6));
}

TEST_CASE("YaRN with both m-scales, as DeepSeek V3 has it") {
    Rope rope{.theta = 1e4,
              .rotary_dim = 64,
              .scaling = RopeScaling::yarn,
              .factor = 40,
              .original_length = 4096};
    std::vector<double> factors = rope_factors(rope);
    check(factors, 0, 10, 1);
    check(factors, 11, 11, 1.081081);
    check(factors, 15, 15, 1.6);
    check(factors, 22, 22, 10);
    check(factors, 23, 31, 40);
    CHECK(yarn_attention_factor(40, 1, 1) == 1);
    double m = yarn_attention_factor(40, 0, 0);
    CHECK(std::pow(192, -0.5) * m * m == doctest::Approx(0.135234).epsilon(1e-5));
    CHECK(yarn_attention_factor(0.5, 0, 0) == 1);
}

TEST_CASE("dynamic RoPE does nothing up to the length it knows") {
    Rope rope{.theta = 1e4,
              .rotary_dim = 64,
              .scaling = RopeScaling::dynamic,
              .factor = 2,
              .original_length = 2048};
    Rope plain{.theta = 1e4, .rotary_dim = 64};
    CHECK(inverse_frequencies(rope, 2048) == inverse_frequencies(plain));
    CHECK(inverse_frequencies(rope) == inverse_frequencies(plain));
    std::vector<float> longer = inverse_frequencies(rope, 4096);
    CHECK(longer[0] == 1);
    // base 1e4 * 3^(64/62), so the last of 32 waves is about three times as long
    CHECK(longer[31] == doctest::Approx(std::pow(1e4 * std::pow(3, 64. / 62), -62. / 64)));
}

}  // namespace
}  // namespace stillroom::lm
