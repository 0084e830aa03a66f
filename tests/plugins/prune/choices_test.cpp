#include "plugins/prune/choices.h"

#include <doctest/doctest.h>

namespace stillroom::prune {
namespace {

using Sizes = std::vector<std::int64_t>;

Sizes left(std::int64_t most, std::int64_t step, double share) {
    return kept(choices(most, step), share);
}

}  // namespace

TEST_CASE("make_divisible goes to the nearest multiple, but never below nine tenths") {
    CHECK(make_divisible(100, 64) == 128);
    CHECK(make_divisible(96, 64) == 128);
    CHECK(make_divisible(95, 64) == 128);  // 64 is less than nine tenths of it
    CHECK(make_divisible(65, 64) == 64);
    CHECK(make_divisible(1, 64) == 64);
    CHECK(make_divisible(128, 64) == 128);
}

TEST_CASE("choices are the multiples of the step and the size itself") {
    CHECK(choices(10, 4) == Sizes{4, 8, 10});
    CHECK(choices(8, 4) == Sizes{4, 8});
    CHECK(choices(3, 4) == Sizes{3});
}

TEST_CASE("the published lists come out") {
    CHECK(left(36, 2, 0.2) == Sizes{30, 32, 34, 36});
    CHECK(left(32, 2, 0.2) == Sizes{26, 28, 30, 32});
    CHECK(left(28, 2, 0.2) == Sizes{24, 26, 28});
    CHECK(left(56, 2, 0.2) == Sizes{46, 48, 50, 52, 54, 56});
    CHECK(left(52, 2, 0.15) == Sizes{46, 48, 50, 52});
    CHECK(left(4096, 256, 0.4) == Sizes{2560, 2816, 3072, 3328, 3584, 3840, 4096});
    CHECK(left(4480, 256, 0.4) == Sizes{2816, 3072, 3328, 3584, 3840, 4096, 4352, 4480});
    CHECK(left(1024, 256, 0.4) == Sizes{768, 1024});
    CHECK(left(12288, 512, 0.4).front() == 7680);
    CHECK(left(12288, 512, 0.4).size() == 10);
    CHECK(left(14336, 512, 0.4).front() == 8704);
    CHECK(left(14336, 512, 0.4).size() == 12);
    Sizes odd = left(15680, 512, 0.4);
    CHECK(odd.size() == 13);
    CHECK(odd.front() == 9728);
    CHECK(odd[odd.size() - 2] == 15360);
    CHECK(odd.back() == 15680);
    CHECK(left(3072, 512, 0.4) == Sizes{2048, 2560, 3072});
    CHECK(left(32, 8, 0.4) == Sizes{24, 32});
    CHECK(left(16, 8, 0.4) == Sizes{16});
    CHECK(left(80, 8, 0.4) == Sizes{56, 64, 72, 80});
    Sizes mamba = left(128, 8, 0.4);
    CHECK(mamba.size() == 7);
    CHECK(mamba.front() == 80);
}

TEST_CASE("Nemotron-Nano-9B-v2 with heads skipped has the published number of combinations") {
    CHECK(left(56, 2, 0.2).size() * left(4480, 256, 0.4).size() * left(15680, 512, 0.4).size() *
              left(128, 8, 0.4).size() * left(80, 8, 0.4).size() ==
          17472);
}

TEST_CASE("the cut of a list is worked out in doubles, not exactly") {
    for (std::int64_t length : {90, 170, 180}) {
        auto exact = static_cast<std::size_t>(length * 7 / 10);
        CHECK(left(length, 1, 0.3).size() == static_cast<std::size_t>(length) - exact + 1);
    }
}

TEST_CASE("a list of one choice is left alone, and no list loses all") {
    CHECK(kept({7}, 0.4) == Sizes{7});
    CHECK(kept({5, 7}, 0) == Sizes{7});
    CHECK(kept({1, 2, 3, 4, 5}, 0.2) == Sizes{5});
}

TEST_CASE("the nearest choices stand on either side") {
    CHECK(around({64, 128, 192}, 100) == Sizes{64, 128});
    CHECK(around({64, 128, 192}, 10) == Sizes{64});
    CHECK(around({64, 128, 192}, 999) == Sizes{192});
}

}  // namespace stillroom::prune
