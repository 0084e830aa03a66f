#include "engine/base/text.h"
#include "engine/document/document.h"

#include <doctest/doctest.h>

#include <string>

using namespace stillroom;

namespace {

struct Reading {
    Sources sources;
    Diagnostics diagnostics;
    Document document;

    explicit Reading(std::string text, Limits limits = {}) {
        document = read_yaml(sources.add("recipe.yaml", std::move(text)), limits, diagnostics);
    }
    const Node& root() const {
        REQUIRE(document.root);
        return *document.root;
    }
    std::string slice(Span where) const { return std::string(sources.slice(where)); }
    std::string first_message() const {
        return diagnostics.empty() ? "" : diagnostics.all().front().message;
    }
};

std::string repeat(std::string_view text, std::size_t times) {
    std::string out;
    for (std::size_t i = 0; i < times; ++i)
        out += text;
    return out;
}

}  // namespace

TEST_CASE("keys and values know exactly where they begin and end") {
    Reading reading(
        "a: &x !!str 12  # note\n\"k y\" : [1, {b: 2}]\nc:\n- p\n-  q\nd: |\n  t\n  u\ne:\n");
    const Node& root = reading.root();
    CHECK(reading.slice(root.entries[0].where) == "a");
    CHECK(reading.slice(root.get("a")->where) == "12");
    CHECK(reading.slice(root.entries[1].where) == "\"k y\"");
    CHECK(reading.slice(root.get("k y")->where) == "[1, {b: 2}]");
    CHECK(reading.slice(root.get("k y")->items[1]->where) == "{b: 2}");
    CHECK(reading.slice(root.get("c")->where) == "- p\n-  q");
    CHECK(reading.slice(root.get("c")->items[1]->where) == "q");
    CHECK(reading.slice(root.get("d")->where) == "|\n  t\n  u");
    Position empty = reading.sources.position(root.get("e")->where.begin);
    CHECK(empty.line == 9);
    CHECK(empty.column == 3);
    CHECK(reading.slice(root.where) ==
          "a: &x !!str 12  # note\n\"k y\" : [1, {b: 2}]\nc:\n- p\n-  q\nd: |\n  t\n  u\ne:");
}

TEST_CASE("columns count characters, and a byte order mark is none") {
    Reading reading("\xEF\xBB\xBF\xC3\xA9\xC3\xA9: x\n");
    Position at = reading.sources.position(reading.root().get("\xC3\xA9\xC3\xA9")->where.begin);
    CHECK(at.column == 5);
}

TEST_CASE("comments are collected, those alone on their line marked") {
    Reading reading(
        "# top\na: 1  # beside\nb: [1, # inside\n  2]\n  # between\nc: |  # header\n  # text\n");
    reading.root();
    std::vector<std::string> alone, beside;
    for (const Comment& comment : reading.document.comments)
        (comment.alone ? alone : beside).push_back(reading.slice(comment.where));
    CHECK(alone == std::vector<std::string>{"# top", "# between"});
    CHECK(beside == std::vector<std::string>{"# beside", "# inside", "# header"});
}

TEST_CASE("a package is named in the comments at the top and nowhere else") {
    Reading top("# about\n# @package db.main\na: 1\n");
    CHECK(top.document.package == "db.main");
    CHECK(top.slice(top.document.package_where) == "db.main");
    CHECK_FALSE(Reading("a: 1\n# @package db\n").document.package);
    CHECK_FALSE(Reading("# @packaged db\na: 1\n").document.package);
    CHECK(Reading("# @package\na: 1\n").first_message() == "'@package' needs one name");
    CHECK(Reading("# @package a\n# @package b\na: 1\n").first_message() == "a second '@package'");
}

TEST_CASE("operators mark values and stand nowhere else") {
    Reading reading(
        "a: !append [1]\nb: !prepend\n- 1\nc: !remove []\nd: !replace {x: 1}\ne: !unset\nf: !unset "
        "3\n");
    const Node& root = reading.root();
    CHECK(root.get("a")->op == Operator::append);
    CHECK(root.get("b")->op == Operator::prepend);
    CHECK(root.get("c")->op == Operator::remove);
    CHECK(root.get("d")->op == Operator::replace);
    CHECK(root.get("e")->op == Operator::unset);
    CHECK(root.get("e")->is_null());
    CHECK(root.get("f")->op == Operator::unset);
    for (std::string bad : {"a: !append 3",
                            "a: !replace [1]",
                            "- !append [1]",
                            "!replace {a: 1}",
                            "!unset a: 1",
                            "a: {<<: !replace {b: 1}}"}) {
        CAPTURE(bad);
        CHECK_FALSE(Reading(bad).document.root);
    }
}

TEST_CASE("a core tag decides what a scalar is") {
    Reading reading(
        "a: !!str 12\nb: !!int \"3\"\nc: !!float 3\nd: !!str\ne: !!null\nf: "
        "!<tag:yaml.org,2002:str> 1\n");
    const Node& root = reading.root();
    CHECK(root.get("a")->quoted());
    CHECK(root.get("b")->kind == Kind::integer);
    CHECK_FALSE(root.get("b")->quoted());
    CHECK(root.get("c")->kind == Kind::number);
    CHECK(root.get("d")->kind == Kind::string);
    CHECK(root.get("e")->is_null());
    CHECK(root.get("f")->quoted());
}

TEST_CASE("a leading zero is marked, and reported only on demand") {
    Reading reading("a: 017\nb: \"017\"\nc: [08, 0, 0.5]\n");
    const Node& root = reading.root();
    CHECK(root.get("a")->leading_zero);
    CHECK_FALSE(root.get("b")->leading_zero);
    refuse_leading_zeros(root, reading.diagnostics);
    REQUIRE(reading.diagnostics.errors() == 2);
    CHECK(reading.first_message() == "'017' has an ambiguous leading zero");
}

TEST_CASE("'<<' brings in what a map does not have, wherever the map has it") {
    Reading reading(
        "b: &b {x: 1, y: 2}\nc: &c {y: 3, z: 4}\n"
        "one: {z: 9, <<: *b, x: 7}\ntwo:\n  <<: [*b, *c]\n  w: 0\nthree: {'<<': *b, <<: {q: 1}}\n");
    const Node& root = reading.root();
    CHECK(to_yaml(*root.get("one")) == "z: 9\ny: 2\nx: 7\n");
    CHECK(to_yaml(*root.get("two")) == "x: 1\ny: 2\nz: 4\nw: 0\n");
    CHECK(root.get("three")->entries.size() == 2);
    CHECK(reading.slice(root.get("two")->find("z")->where) == "z");
    CHECK(reading.sources.position(root.get("two")->find("z")->where.begin).line == 2);
}

TEST_CASE("aliases share the node they name") {
    Reading reading("a: &x [1]\nb: *x\nc: &x 2\nd: *x\n? &k key\n: v\ne: *k\n*k : w\n");
    CHECK_FALSE(reading.document.root);  // the alias as a key is equal to its original
    Reading shared("a: &x [1]\nb: *x\nc: &x 2\nd: *x\n");
    CHECK(shared.root().get("a") == shared.root().get("b"));
    CHECK(shared.root().get("d")->text == "2");
}

TEST_CASE("every mistake that is no slip of grammar is found in one go") {
    Reading reading("a: !nope 1\na: *b\nc: {d: 1, d: 2}\nnull: 1\ne: {<<: 3}\n");
    CHECK(reading.diagnostics.errors() == 6);
    Reading many(repeat("a: 1\n", 5000));
    CHECK(many.diagnostics.errors() == 101);
}

TEST_CASE("depth is counted with what aliases bring") {
    CHECK(Reading(repeat("[", 64) + repeat("]", 64)).document.root);
    CHECK(Reading(repeat("[", 65) + repeat("]", 65)).first_message() ==
          "nested deeper than 64 levels");
    std::string chain = "k0: &k0 [1]\n";
    for (int i = 1; i < 70; ++i)
        chain += "k" + std::to_string(i) + ": &k" + std::to_string(i) + " [*k" +
                 std::to_string(i - 1) + "]\n";
    Reading deep(chain);
    CHECK(deep.first_message() == "with '*k62' nested deeper than 64 levels");
    CHECK(Reading(repeat("- ", 65) + "x\n").first_message() == "nested deeper than 64 levels");
    CHECK(Reading(repeat("[", 100'000)).first_message() == "nested deeper than 64 levels");
}

TEST_CASE("nodes are counted with what aliases bring, keys too") {
    std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
    for (int i = 1; i < 9; ++i) {
        std::string before = " *a" + std::to_string(i - 1) + " ";
        bomb += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [" + before;
        for (int k = 1; k < 10; ++k)
            bomb += "," + before;
        bomb += "]\n";
    }
    CHECK(Reading(bomb).first_message() == "more than 20000 keys and values, aliases expanded");
    Limits limits;
    limits.nodes = 5;
    CHECK(Reading("a: 1\nb: 2\n", limits).document.root);  // a map, two keys, two values
    limits.nodes = 4;
    CHECK_FALSE(Reading("a: 1\nb: 2\n", limits).document.root);
    limits.nodes = 6;
    CHECK(Reading("&x a: 1\n? b\n: *x\nc\n", limits).diagnostics.errors() == 1);
}

TEST_CASE("an alias counts all nodes of what it names") {
    Limits limits;
    limits.nodes = 9;  // 3 maps, 4 keys, 2 values; one map, one key and one value through the alias
    CHECK(Reading("a: &x\n  b: 1\nc: *x\n", limits).document.root);
    limits.nodes = 8;
    CHECK_FALSE(Reading("a: &x\n  b: 1\nc: *x\n", limits).document.root);
}

TEST_CASE("a key has at most 1024 characters unless '?' begins it") {
    std::string longest = repeat("\xC3\xA9", 1024);
    CHECK(Reading(longest + ": 1").document.root);
    CHECK(Reading(longest + "x: 1").first_message() == "a key of more than 1024 characters");
    CHECK(Reading("[" + longest + "x: 1]").first_message() == "a key of more than 1024 characters");
    CHECK(Reading("? " + longest + "x\n: 1").document.root);
}

TEST_CASE("JSON nests at most 256 levels, whatever the limits for recipes are") {
    Sources sources;
    Diagnostics diagnostics;
    Limits limits;
    limits.depth = 1;
    CHECK(
        read_json(sources.add("a", repeat("[", 256) + repeat("]", 256)), limits, diagnostics).root);
    CHECK_FALSE(
        read_json(sources.add("b", repeat("[", 257) + repeat("]", 257)), limits, diagnostics).root);
    CHECK(diagnostics.all().front().message == "nested deeper than 256 levels");
}

TEST_CASE("a text over its budget is not read") {
    Limits limits;
    limits.file_bytes = 3;
    CHECK(Reading("a: 1", limits).first_message() == "the text has 4 bytes, more than 3");
}

TEST_CASE("equal keys are found in large maps and name both places") {
    std::string text;
    for (int i = 0; i < 1000; ++i)
        text += "k" + std::to_string(i) + ": 1\n";
    Reading reading(text + "k512: 2\n");
    REQUIRE(reading.diagnostics.errors() == 1);
    const Diagnostic& mistake = reading.diagnostics.all().front();
    CHECK(reading.sources.position(mistake.where.begin).line == 1001);
    CHECK(reading.sources.position(mistake.notes.at(0).where.begin).line == 513);
    CHECK(Reading(text).document.root);
}

TEST_CASE("a glued colon in a flow map is read as YAML says, with a warning") {
    Reading reading("{a:1, b: 2}");
    CHECK(reading.root().get("a:1")->is_null());
    REQUIRE(reading.diagnostics.all().size() == 1);
    CHECK(reading.diagnostics.all()[0].severity == Severity::warning);
    CHECK(reading.slice(reading.diagnostics.all()[0].where) == ":");
}
