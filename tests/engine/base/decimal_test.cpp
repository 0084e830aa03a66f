#include "engine/base/decimal.h"

#include <doctest/doctest.h>

using stillroom::Decimal;

namespace {
Decimal of(const char* text) {
    return Decimal::parse(text).value();
}
}  // namespace

TEST_CASE("a tenth added ten times is one") {
    Decimal sum;
    for (int i = 0; i < 10; ++i)
        sum = sum + of("0.1");
    CHECK(sum == Decimal(1));
    CHECK(sum.text() == "1");
}

TEST_CASE("integers beyond a double keep their last digit") {
    CHECK(of("9007199254740993") > of("9007199254740992"));
    CHECK(of("9223372036854775807").to_int64() == 9223372036854775807);
    CHECK_FALSE(of("9223372036854775808").to_int64());
    CHECK(of("-9223372036854775808").to_int64().has_value());
}

TEST_CASE("a number is integral by its value, not by its spelling") {
    CHECK(of("6e9").to_int64() == 6000000000);
    CHECK(of("6.0").is_integer());
    CHECK_FALSE(of("6.5").is_integer());
    CHECK(of("6.5e1").to_int64() == 65);
}

TEST_CASE("multiples are exact where doubles are not") {
    CHECK(of("0.0075").multiple_of(of("0.0001")));
    CHECK_FALSE(of("0.00751").multiple_of(of("0.0001")));
    CHECK(of("1e308").multiple_of(of("0.5")));
    CHECK_FALSE(of("4.5").multiple_of(of("1.3")));
    CHECK(of("4.5").multiple_of(of("1.5")));
    CHECK_FALSE(of("5").multiple_of(of("10")));
}

TEST_CASE("numbers are spelled as RFC 8785 spells them") {
    CHECK(of("6e9").text() == "6000000000");
    CHECK(of("1e21").text() == "1e+21");
    CHECK(of("1e-7").text() == "1e-7");
    CHECK(of("0.000001").text() == "0.000001");
    CHECK(of("-12.50").text() == "-12.5");
}

TEST_CASE("signs, products and differences") {
    CHECK((of("3") - of("5")).text() == "-2");
    CHECK((of("-1.5") * of("-0.2")).text() == "0.3");
    CHECK(of("-2") < of("-1.99"));
    CHECK((of("1") - of("1")).is_zero());
}

TEST_CASE("what is no number is refused") {
    for (const char* text : {"", "-", ".", "1e", "e5", "1_0", "0x1", "1e9999999999", "1 "})
        CHECK_FALSE(Decimal::parse(text));
}
