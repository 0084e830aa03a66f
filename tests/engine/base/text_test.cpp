#include "engine/base/text.h"

#include "engine/base/json.h"

#include <doctest/doctest.h>

using namespace stillroom;

TEST_CASE("invalid UTF-8 is found at its first byte") {
    CHECK_FALSE(find_invalid_utf8("a\xC3\xA9\xF0\x9F\x98\x80z"));
    CHECK(find_invalid_utf8("ab\xC0\xAF") == 2);         // overlong
    CHECK(find_invalid_utf8("\xED\xA0\x80") == 0);       // a surrogate
    CHECK(find_invalid_utf8("x\xF4\x90\x80\x80") == 1);  // past U+10FFFF
    CHECK(find_invalid_utf8("x\xE2\x82") == 1);          // cut
}

TEST_CASE("control characters cannot reach a terminal") {
    CHECK(escape_controls("a\x1b[31mb\n") == "a\\x1b[31mb\\n");
    CHECK(escape_controls("x\xE2\x80\xAEy") == "x\\u202ey");
    CHECK(escape_controls("\xFF") == "\\xff");
}

TEST_CASE("a hint names what is two edits away and nothing farther") {
    std::vector<std::string> names = {"target", "model", "top_k"};
    CHECK(did_you_mean("targt", names) == "did you mean 'target'?");
    CHECK(did_you_mean("top-k", names) == "did you mean 'top_k'?");
    CHECK(did_you_mean("xyz", names).empty());
    std::vector<std::string> groups = {"db"};
    CHECK(did_you_mean("bd", groups) == "did you mean 'db'?");
}

TEST_CASE("numbers in JSON are the shortest that read back") {
    CHECK(number_text(6e9) == "6000000000");
    CHECK(number_text(1e21) == "1e+21");
    CHECK(number_text(1e-7) == "1e-7");
    CHECK(number_text(0.1) == "0.1");
    CHECK(number_text(-0.0) == "0");
    CHECK(number_text(333333333.33333329) == "333333333.3333333");
}
