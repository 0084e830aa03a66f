#include "engine/document/format.h"

#include "engine/base/files.h"

#include <doctest/doctest.h>

#include <filesystem>

using namespace stillroom;

namespace {

std::string formatted(const std::string& text) {
    Sources sources;
    Diagnostics diagnostics;
    Document document = read_yaml(sources.add("recipe.yaml", text), Limits{}, diagnostics);
    REQUIRE(document.root);
    std::optional<std::string> out = format(document, diagnostics);
    REQUIRE(out);
    return *out;
}

}  // namespace

TEST_CASE("levels are two blanks deep, and lists deeper than their key") {
    CHECK(formatted("a:\n    b: 1\n    c:\n    -   d\n    -   e: 1\n        f: 2\n    -\n          "
                    "  - g\n") ==
          "a:\n  b: 1\n  c:\n    - d\n    - e: 1\n      f: 2\n    -\n      - g\n");
    CHECK(formatted("a:\n- b\n- - c\n  - ?    d\n    :  - e\nf: 1\n") ==
          "a:\n  - b\n  - - c\n    - ? d\n      : - e\nf: 1\n");
    CHECK(formatted("  a: 1\n  b: 2\n") == "a: 1\nb: 2\n");
}

TEST_CASE("comments stay beside what they stand at") {
    CHECK(formatted("# top\n\na:   # of a\n     # before b\n     b: 1   # of b\n     # end of a\n# "
                    "of c\nc: 2\n# last\n") ==
          "# top\n\na:   # of a\n  # before b\n  b: 1   # of b\n  # end of a\n# of c\nc: 2\n# "
          "last\n");
}

TEST_CASE("values of several lines move with their collection") {
    CHECK(formatted("a:\n    b: |\n       x\n         y\n\n       z\n    c: >2-\n       k\n    d: "
                    "[1,\n        2]\n    e: \"p\n        q\"\n    f: r\n     s\n") ==
          "a:\n  b: |\n     x\n       y\n\n     z\n  c: >2-\n     k\n  d: [1,\n      2]\n  e: "
          "\"p\n      q\"\n  f: r\n   s\n");
    CHECK(formatted("a: |+\n  x\n\n\nb: |\n  y\n\n\nc: 1\n") ==
          "a: |+\n  x\n\n\nb: |\n  y\n\n\nc: 1\n");
    CHECK(formatted("--- |\n  x\n   y\n") == "--- |\n  x\n   y\n");
}

TEST_CASE("blanks at line ends, blank lines in a row and CR go, blanks within a line stay") {
    CHECK(formatted("\n\na:   1  \n\n\n\nbb:  2\t\n\n") == "a:   1\n\nbb:  2\n");
    CHECK(formatted("a: 1\r\nb: |\r\n  x\r\n") == "a: 1\nb: |\n  x\n");
    CHECK(formatted("a: 'x  '\nb: \"y \\\n   z\"\nc: 1") == "a: 'x  '\nb: \"y \\\n   z\"\nc: 1\n");
    std::string escaped =
        "a: \"y\\ \n  z\"\n";  // the blank before the line's end is part of the text
    CHECK(formatted(escaped) == escaped);
}

TEST_CASE("anchors, tags, markers and quotes stay as they are written") {
    std::string text = "---\na: &x !!map\n  b: '1'\nc:\n  <<: *x\n  \"d\": !append [1,  2]\n...\n";
    CHECK(formatted(text) == text);
    CHECK(formatted("a:\n   !!map\n   &x\n   b: 1\n") == "a:\n  !!map\n  &x\n  b: 1\n");
}

TEST_CASE("what is formatted formats to itself") {
    for (std::string text : {"a:\n   # x\n     # y\n   b: 1\n # z\nc: 2\n",
                             "-    # x\n     a: [1,\n       2]\n-  |\n       t\n# u\n",
                             "a:\n      - b\n      # c\n   # d\n",
                             "# x\n ---\n y\n",
                             "  ======= : 1\n  a: [1,\n   2]\n  # b\n",
                             "? |\n     a\n:     - b\n"}) {
        CAPTURE(text);
        std::string once = formatted(text);
        CHECK(formatted(once) == once);
    }
}

TEST_CASE("JSON is not laid out") {
    Sources sources;
    Diagnostics diagnostics;
    Document document = read_json(sources.add("a.json", "{\"a\": 1}"), Limits{}, diagnostics);
    CHECK_FALSE(format(document, diagnostics));
    CHECK_FALSE(diagnostics.ok());
}
