#include "plugins/lm/weights/gguf_rope.h"

#include "plugins/lm/config/rope.h"

#include <doctest/doctest.h>

#include <vector>

namespace stillroom::lm {
namespace {

Rope llama3(double theta, std::int64_t dim, double factor, double high, std::int64_t length) {
    Rope rope{.theta = theta, .rotary_dim = dim, .scaling = RopeScaling::llama3, .factor = factor};
    rope.high_freq_factor = high;
    rope.original_length = length;
    return rope;
}

/// What comes back from the factors of a scaling, as GGUF stores them.
std::optional<Rope> back(const Rope& rope) {
    std::vector<double> exact = rope_factors(rope);
    std::vector<float> stored(exact.begin(), exact.end());
    return llama3_of_factors(Rope{.theta = rope.theta, .rotary_dim = rope.rotary_dim}, stored);
}

TEST_CASE("a llama3 scaling is found again in its factors") {
    for (const Rope& rope : {llama3(5e5, 128, 8, 4, 8192),
                             llama3(5e5, 64, 32, 4, 8192),
                             llama3(1e6, 128, 16, 4, 4096),
                             llama3(1e4, 128, 4, 8, 2048),
                             llama3(5e5, 128, 8, 2, 32768)}) {
        std::optional<Rope> found = back(rope);
        REQUIRE(found);
        CHECK(found->factor == rope.factor);
        CHECK(found->low_freq_factor == 1);
        CHECK(found->high_freq_factor == rope.high_freq_factor);
        CHECK(found->original_length == rope.original_length);
    }
}

TEST_CASE("a scaling with another low factor comes back as one that turns alike") {
    Rope rope = llama3(5e5, 128, 8, 8, 16384);
    rope.low_freq_factor = 2;
    std::optional<Rope> found = back(rope);
    REQUIRE(found);
    CHECK(found->high_freq_factor == 4);
    CHECK(found->original_length == 8192);
}

TEST_CASE("factors of no llama3 scaling are not taken for one") {
    Rope plain{.theta = 5e5, .rotary_dim = 128};
    std::vector<float> factors(64, 1.0F);
    CHECK_FALSE(llama3_of_factors(plain, factors));
    for (std::size_t i = 0; i < 64; ++i)
        factors[i] = 1 + static_cast<float>(i);
    CHECK_FALSE(llama3_of_factors(plain, factors));
    std::vector<double> exact = rope_factors(llama3(5e5, 128, 8, 4, 8192));
    factors.assign(exact.begin(), exact.end());
    factors[31] *= 1.001F;
    CHECK_FALSE(llama3_of_factors(plain, factors));
}

}  // namespace
}  // namespace stillroom::lm
