#include "plugins/data/blend_file.h"

#include "engine/base/error.h"

#include <doctest/doctest.h>

namespace stillroom::data {
namespace {

std::string refusal(std::string_view text) {
    try {
        parse_blend(text, "blend.txt");
    } catch (const Error& error) {
        CHECK(error.exit_code() == kExitBadInput);
        return error.what();
    }
    return "";
}

TEST_CASE("weight and prefix stand in turn, or prefixes alone") {
    auto blend = parse_blend(" 0.7 a/b\n3e-1\tc ", "blend.txt");
    REQUIRE(blend.size() == 2);
    CHECK(blend[0].prefix == "a/b");
    CHECK(blend[0].weight == 0.7);
    CHECK(blend[1].weight == 0.3);
    for (const char* text : {"a", "a b", "a b c", "30 b c"}) {
        CAPTURE(text);
        for (const BlendEntry& entry : parse_blend(text, "blend.txt"))
            CHECK(!entry.weight);
    }
    CHECK(parse_blend("30 b c", "blend.txt").size() == 3);
    CHECK(parse_blend("1 2", "blend.txt").front().prefix == "2");
}

TEST_CASE("D: weights and names that are mixed up are refused with their place") {
    CHECK(refusal("0.7 a b 0.3") == "blend.txt: word 3, 'b', is no weight");
    CHECK(refusal("0 a") == "blend.txt: word 1, a weight, is 0");
    CHECK(refusal("-1 a") == "blend.txt: word 1, a weight, is -1");
    CHECK(refusal("inf a") == "blend.txt: word 1, a weight, is inf");
    CHECK(refusal("1 a nan b") == "blend.txt: word 3, a weight, is nan");
    CHECK(refusal(" \n") == "blend.txt: it names no dataset");
}

TEST_CASE("a blend is read as it was written, and a blank in a prefix cannot be written") {
    std::vector<BlendEntry> entries{{"../x/a", 0.1}, {"/b", 2e-9}};
    auto again = parse_blend(blend_text(entries).value(), "blend.txt");
    REQUIRE(again.size() == 2);
    CHECK(again[0].prefix == "../x/a");
    CHECK(again[1].weight == 2e-9);
    CHECK(!blend_text({{"a b", {}}}));
}

}  // namespace
}  // namespace stillroom::data
