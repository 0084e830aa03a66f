#include "plugins/lm/data/split.h"

#include "engine/base/error.h"

#include <doctest/doctest.h>

namespace stillroom::lm {
namespace {

TEST_CASE("shares cut the data in order, and halves are rounded to the even neighbour") {
    Split split = Split::parse("99,1,0");
    CHECK(split.range(SplitPart::train, 250) == SequenceRange{0, 248});
    CHECK(split.range(SplitPart::valid, 250) == SequenceRange{248, 250});
    CHECK(split.range(SplitPart::test, 250).size() == 0);
    Split three = Split::parse(" 9999, 8 ,2");
    CHECK(three.range(SplitPart::train, 100000).size() == 99900);
    CHECK(three.range(SplitPart::valid, 100000).size() == 80);
    CHECK(three.range(SplitPart::test, 100000).size() == 20);
    CHECK(Split::parse("1").range(SplitPart::train, 7) == SequenceRange{0, 7});
    CHECK(Split::parse("1").range(SplitPart::valid, 7).size() == 0);
}

TEST_CASE("a split that is no list of shares is refused") {
    for (const char* text :
         {"", "a", "1,,2", "1,2,3,4", "0,0,0", "-1,2", "inf", "nan", "1;2", "1e999"})
        CHECK_THROWS_AS(Split::parse(text), Error);
}

}  // namespace
}  // namespace stillroom::lm
