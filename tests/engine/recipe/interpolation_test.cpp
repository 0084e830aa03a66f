#include "engine/recipe/interpolation.h"

#include <doctest/doctest.h>

using namespace stillroom;

TEST_CASE("a text without an interpolation stands for itself") {
    ParsedText text = parse_text("x\\\\y $ {a} \\");
    CHECK(text.plain());
    REQUIRE(text.pieces.size() == 1);
    CHECK(text.pieces[0].literal == "x\\\\y $ {a} \\");
}

TEST_CASE("pieces know where they stand") {
    ParsedText text = parse_text("ab${c.d}e${f:1}");
    REQUIRE_FALSE(text.mistake);
    REQUIRE(text.pieces.size() == 4);
    CHECK(text.pieces[1].interpolation->begin == 2);
    CHECK(text.pieces[1].interpolation->end == 8);
    CHECK(text.pieces[3].interpolation->is_call);
    CHECK(text.pieces[3].interpolation->raw == "1");
    CHECK(text.whole() == nullptr);
}

TEST_CASE("a whole interpolation is told from one with blanks around it") {
    CHECK(parse_text("${a}").whole() != nullptr);
    CHECK(parse_text(" ${a}").whole() == nullptr);
    CHECK(parse_text("\\${a}").plain());
}

TEST_CASE("leading dots and brackets of a reference are kept apart from its keys") {
    ParsedText text = parse_text("${..a[0].b}");
    const Interpolation* reference = text.whole();
    REQUIRE(reference);
    CHECK(reference->dots == 2);
    REQUIRE(reference->path.size() == 3);
    CHECK(reference->path[1].key == "0");
    CHECK(reference->path[1].bracket);
    CHECK_FALSE(reference->path[2].bracket);
}

TEST_CASE("a mistake is placed inside the text") {
    ParsedText text = parse_text("abc ${a b}");
    REQUIRE(text.mistake);
    CHECK(text.mistake->begin == 8);
    CHECK(text.mistake->end == 9);
}

TEST_CASE("deep nesting is refused, not followed") {
    std::string deep;
    for (int i = 0; i < 100'000; ++i)
        deep += "${";
    REQUIRE(parse_text(deep).mistake);
    CHECK(parse_text(deep).mistake->message == "interpolations may be nested 64 deep");
    REQUIRE(parse_text("${f:" + std::string(100'000, '[') + "}").mistake);
}

TEST_CASE("paths have dots between keys and brackets around indices") {
    using Keys = std::vector<std::string>;
    CHECK(split_path("a.b[0].c") == Keys{"a", "b", "0", "c"});
    CHECK(split_path("a.-1") == Keys{"a", "-1"});
    CHECK(split_path("[a][b]") == Keys{"a", "b"});
    for (const char* bad : {"", ".", "a.", "a..b", "a[", "[a]b", "a[]", "a]"})
        CHECK_MESSAGE(!split_path(bad), bad);
}
