#include "plugins/lm/weights/random.h"

#include <doctest/doctest.h>

namespace {

using namespace stillroom::lm;

TEST_CASE("Philox gives the numbers that its authors publish") {
    using Four = std::array<std::uint32_t, 4>;
    constexpr std::uint32_t kOnes = 0xffffffff;
    CHECK(philox({0, 0, 0, 0}, {0, 0}) == Four{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8});
    CHECK(philox({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}) ==
          Four{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd});
    CHECK(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}) ==
          Four{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1});
}

TEST_CASE("a random number depends on seed, stream and place alone") {
    CountedRandom random(7), other(8), stream(7, 1);
    CHECK(CountedRandom(0).bits(0) == 0xe169c58d6627e8d5);
    CHECK(random.bits(3) == CountedRandom(7).bits(3));
    CHECK(random.bits(3) != other.bits(3));
    CHECK(random.bits(3) != stream.bits(3));
    double sum = 0;
    for (std::uint64_t i = 0; i < 10000; i++)
        sum += random.uniform(i);
    CHECK(sum / 10000 == doctest::Approx(0.5).epsilon(0.02));
}

}  // namespace
