#include "engine/document/document.h"

#include <doctest/doctest.h>

#include <string>

using namespace stillroom;

namespace {

NodePtr read(const std::string& text) {
    Sources sources;
    Diagnostics diagnostics;
    Document document = read_yaml(sources.add("text", text), Limits{}, diagnostics);
    CAPTURE(text);
    REQUIRE(document.root);
    return document.root;
}

std::string rewritten(const std::string& text) {
    return to_yaml(*read(text));
}

}  // namespace

TEST_CASE("plain scalars keep their text, quoted ones their quotes") {
    CHECK(rewritten("a: 1.20\nb: \"1.20\"\nc: 'x y'\nd: 0x1F\ne: ~\nf: no\n") ==
          "a: 1.20\nb: \"1.20\"\nc: \"x y\"\nd: 0x1F\ne: null\nf: no\n");
}

TEST_CASE("small flow collections stay on their line, others become lines") {
    CHECK(rewritten("a: [1, x: 2]\nb: {c: d, e: []}\nf: {g: {h: i}}\n") ==
          "a:\n  - 1\n  - {x: 2}\nb: {c: d, e: []}\nf:\n  g: {h: i}\n");
    CHECK(rewritten("- - 1\n  - {}\n-\n") == "-\n  - 1\n  - {}\n- null\n");
}

TEST_CASE("texts of several lines become literal blocks where that is exact") {
    CHECK(rewritten("a: |\n  x\n    y\n\nb: |-\n  x\n  y\nc: |+\n  x\n\n") ==
          "a: |\n  x\n    y\nb: |-\n  x\n  y\nc: |+\n  x\n\n");
    CHECK(rewritten("a: |1\n   x\n  y\n") == "a: \"  x\\n y\\n\"\n");
    CHECK(rewritten("--- |\n x\n ...\n") == "|\n  x\n  ...\n");
}

TEST_CASE("operators are written before their values") {
    CHECK(rewritten(
              "a: !append [1]\nb: !prepend\n- {x: {y: 1}}\nc: !replace {d: {e: 1}}\nf: !unset\n") ==
          "a: !append [1]\nb: !prepend\n  -\n    x: {y: 1}\nc: !replace\n  d: {e: 1}\nf: !unset "
          "null\n");
}

TEST_CASE("every text survives writing, as a value and as a key") {
    for (std::string text : {"",
                             "~",
                             "null",
                             "true",
                             "12",
                             "0o17",
                             "-",
                             "- a",
                             "-a",
                             "?",
                             "? a",
                             "?a",
                             ":",
                             ":a",
                             "a:",
                             "a: b",
                             "a #b",
                             "a#b",
                             "#a",
                             "&a",
                             "*a",
                             "!a",
                             "|",
                             ">",
                             "'",
                             "\"",
                             "%a",
                             "@a",
                             "`a",
                             "[",
                             "a]",
                             "a, b",
                             "{",
                             "---",
                             "--- a",
                             "...",
                             "<<",
                             "<<<<<<<",
                             "=======",
                             "======= a",
                             "|||||||",
                             ">>>>>>>",
                             " a",
                             "a ",
                             "\ta",
                             "a\t",
                             "a\nb",
                             "a\n",
                             "\na",
                             "a\n\n",
                             "  a\nb",
                             "a\r\nb",
                             "\x01",
                             "\x7f",
                             "\xC2\x85",
                             "\xC2\x9B",
                             "\xEF\xBB\xBF",
                             "\xE2\x80\xA8",
                             "\\",
                             "\\n",
                             "${a}",
                             "a\n  b\n \n",
                             "???"}) {
        auto map = make_map();
        auto flow = make_map();
        flow->style = Style::flow;
        for (Style style : {Style::plain, Style::double_quoted, Style::literal}) {
            auto value = make_string(text);
            value->style = style;
            std::string key = text + std::to_string(static_cast<int>(style));
            flow->entries.push_back({key, {}, value});
            map->entries.push_back({key, {}, value});
        }
        map->entries.push_back({text, {}, flow});
        flow->entries.push_back({text, {}, make_list()});
        std::string written = to_yaml(*map);
        CAPTURE(written);
        CHECK(deep_equal(*map, *read(written)));
    }
}

TEST_CASE("keys longer than YAML allows on one line are written with '?'") {
    auto map = make_map();
    map->entries.push_back({std::string(2000, 'k'), {}, make_string("v")});
    auto flow = make_map();
    flow->style = Style::flow;
    flow->entries.push_back({std::string(2000, 'm'), {}, make_string("v")});
    map->entries.push_back({"f", {}, flow});
    CHECK(deep_equal(*map, *read(to_yaml(*map))));
}
