#include "engine/recipe/calc.h"

#include "engine/document/scalar.h"
#include "tests/engine/recipe/outcome.h"

#include <doctest/doctest.h>

using namespace stillroom;

namespace {

CalcResult calculated(std::string_view expression) {
    CalcInput input;
    input.path = [](std::string_view, std::size_t) { return NodePtr(); };
    input.interpolation = input.path;
    return calculate(expression, {}, input);
}

std::string result(std::string_view expression) {
    CalcResult out = calculated(expression);
    return out.value ? test::outcome(*out.value) : "ERR(" + out.message + ")";
}

}  // namespace

TEST_CASE("operators bind as in Python") {
    CHECK(result("2+3*4") == "int 14");
    CHECK(result("(2+3)*4") == "int 20");
    CHECK(result("2**3**2") == "int 512");
    CHECK(result("-2**2") == "int -4");
    CHECK(result("10-4-3") == "int 3");
    CHECK(result("7//2*2") == "int 6");
    CHECK(result("2*-3") == "int -6");
}

TEST_CASE("integers stay exact up to their last digit") {
    CHECK(result("9007199254740993*1") == "int 9007199254740993");
    CHECK(result("9223372036854775806+1") == "int 9223372036854775807");
    CHECK(result("2**62*2-1") == "ERR(the product leaves the integers of 64 bits)");
    CHECK(result("2**63") == "ERR(the power leaves the integers of 64 bits)");
    CHECK(result("(-2)**63") == "int -9223372036854775808");
    CHECK(result("(-9223372036854775807-1)//-1") ==
          "ERR(the quotient leaves the integers of 64 bits)");
    CHECK(result("(-9223372036854775807-1)%-1") == "int 0");
    CHECK(result("1**999999999999") == "int 1");
    CHECK(result("3**999999999999") == "ERR(the power leaves the integers of 64 bits)");
}

TEST_CASE("decimals are exact until a division") {
    CHECK(result("0.1+0.2") == "float 0.3");
    CHECK(result("1.1*3e9") == "float 3300000000.0");
    CHECK(result("1/3") == "float 0.3333333333333333");
    CHECK(result("1e-300*1e-300") == "float 0.0");
    CHECK(result("1e200*1e200") == "ERR(the result is too large)");
}

TEST_CASE("floor division and rest go towards minus infinity") {
    CHECK(result("-7//2") == "int -4");
    CHECK(result("7//-2") == "int -4");
    CHECK(result("-7%3") == "int 2");
    CHECK(result("7%-3") == "int -2");
    CHECK(result("-7.5//2") == "float -4.0");
    CHECK(result("-7.5%2") == "float 0.5");
}

TEST_CASE("rounding goes to the even neighbour of a half") {
    CHECK(result("round(0.5)") == "int 0");
    CHECK(result("round(1.5)") == "int 2");
    CHECK(result("round(-2.5)") == "int -2");
    CHECK(result("round(2.4999)") == "int 2");
    CHECK(result("floor(-0.1)") == "int -1");
    CHECK(result("ceil(-0.1)") == "int 0");
    CHECK(result("floor(1e300)") == "ERR(the result leaves the integers of 64 bits)");
}

TEST_CASE("numbers are spelled as counts are") {
    CHECK(result("6B") == "int 6000000000");
    CHECK(result("1.5K") == "int 1500");
    CHECK(result("0x10+0o10") == "int 24");
    CHECK(result("1_000") == "int 1000");
    CHECK(result("1e-3") == "float 0.001");
    CHECK(result("6.0") == "float 6.0");
}

TEST_CASE("a mistake is placed in the expression") {
    CalcResult out = calculated("1 + 2/0 + 3");
    CHECK(out.message == "division by zero");
    CHECK(out.begin == 4);
    CHECK(out.end == 7);
    CHECK(calculated("1 $ 2").begin == 2);
    CHECK(calculated("max(1,2").message == "the expression ends where ',' or ')' must follow");
    CHECK(calculated("abs(1,2)").message == "abs takes one number");
}

TEST_CASE("nesting is bounded") {
    CHECK(result(std::string(100'000, '(')) == "ERR(nested deeper than 64)");
    CHECK(result(std::string(100'000, '-') + "1") == "ERR(nested deeper than 64)");
}
