#include "engine/recipe/override.h"

#include "engine/base/codes.h"
#include "engine/document/scalar.h"
#include "tests/engine/recipe/case_lines.h"
#include "tests/engine/recipe/outcome.h"

#include <doctest/doctest.h>

using namespace stillroom;
using stillroom::test::CaseLine;

namespace {

std::string read(const std::string& text) {
    Sources sources;
    Diagnostics diagnostics;
    auto override = parse_override(sources.add_argument(1, text), diagnostics);
    if (override)
        return test::outcome(*override);
    return "ERR(" + diagnostics.all().front().message + ")";
}

struct Mistake {
    std::string where;
    std::string marked;
    std::string message;
    std::string hint;
    int code;
};

Mistake mistake(const std::string& text) {
    Sources sources;
    Diagnostics diagnostics;
    auto override = parse_override(sources.add_argument(3, text), diagnostics);
    REQUIRE_FALSE(override);
    REQUIRE(diagnostics.errors() == 1);
    const Diagnostic& first = diagnostics.all().front();
    return {sources.position(first.where.begin).text(),
            std::string(sources.slice(first.where)),
            first.message,
            first.hint,
            first.code};
}

}  // namespace

TEST_CASE("every line of the override grammar has its outcome") {
    for (const CaseLine& line : test::read_case_lines("parser.txt", 3)) {
        CAPTURE(line.fields[0]);
        CAPTURE(line.fields[1]);
        std::string outcome = read(line.fields[1]);
        CAPTURE(outcome);
        CHECK_MESSAGE(test::matches(line.fields[2], outcome), line.fields[2]);
    }
}

TEST_CASE("a deviation names a case that exists") {
    std::set<std::string> ids;
    for (const char* file : {"parser.txt"})
        for (const CaseLine& line : test::read_case_lines(file, 3))
            CHECK_MESSAGE(ids.insert(line.fields[0]).second, line.fields[0], " stands twice");
    for (const std::string& id : test::deviations())
        if (id[0] == 'P' || id[0] == 'O' || id[0] == 'D')
            CHECK_MESSAGE(ids.count(id) == 1, id);
}

TEST_CASE("a mistake points at the characters at fault, in columns of the argument") {
    CHECK(mistake("a=\"open").where == "argv:3:3");
    CHECK(mistake("a=\"open").marked == "\"");
    CHECK(mistake("a=é(").where == "argv:3:4");
    CHECK(mistake("a=[1,choice(2,3)]").marked == "choice(2,3)");
    CHECK(mistake("a=[1,choice(2,3)]").code == code::kSweepPlace);
    CHECK(mistake("a={x: 1, x: 2}").where == "argv:3:10");
    CHECK(mistake("a=range(0,b)").marked == "b");
    CHECK(mistake("db@p:q=1").marked == ":");
    CHECK(mistake("a").where == "argv:3:2");
}

TEST_CASE("a hint says how to write what was meant") {
    CHECK(mistake("a").hint == "write a=VALUE, or ~a to remove it");
    CHECK(mistake("a=(x)").hint.find("\\(") != std::string::npos);
    CHECK(mistake("a=Choice(1)").hint.find("did you mean 'choice'?") != std::string::npos);
    CHECK(mistake("a=foo(1)").hint.find("bool, choice, extend_list") != std::string::npos);
    CHECK(mistake("a=range(5,0)").hint == "give a step of the other sign");
}

TEST_CASE("values know their kind, style and place") {
    Sources sources;
    Diagnostics diagnostics;
    auto override = parse_override(sources.add_argument(2, "a={k: 1_000, q: 'x'}"), diagnostics);
    REQUIRE(override);
    CHECK(sources.slice(override->value->where) == "{k: 1_000, q: 'x'}");
    CHECK(override->value->origin == Origin::argument);
    NodePtr k = override->value->get("k");
    CHECK(k->kind == Kind::integer);
    CHECK(k->text == "1_000");
    CHECK(decimal_value(*k)->to_int64() == 1000);
    CHECK(sources.position(k->where.begin).text() == "argv:2:7");
    CHECK(override->value->get("q")->style == Style::single_quoted);
    CHECK(sources.slice(override->key_where) == "a");
}

TEST_CASE("bytes that are no text are refused where they stand") {
    CHECK(mistake(std::string("a=x\xC3")).message == "byte 4 of this argument is not UTF-8");
    CHECK(mistake(std::string("a=\0x", 4)).code == code::kOverrideForm);
    CHECK(mistake("a=x\x01y").message.find("\\x01") != std::string::npos);
}

TEST_CASE("nesting is bounded") {
    std::string deep(100'000, '[');
    CHECK(mistake("a=" + deep).message == "values may be nested 64 deep");
    std::string wide = "a=[x";
    for (int i = 0; i < 20'000; ++i)
        wide += ",x";
    CHECK(mistake(wide + "]").message == "a value has at most 20000 parts");
}

TEST_CASE("a sweep without -m is told three ways out") {
    Sources sources;
    Diagnostics diagnostics;
    auto override = parse_override(sources.add_argument(1, "db=mysql,pg"), diagnostics);
    REQUIRE(override);
    Diagnostic diagnostic = sweep_needs_multirun(*override);
    CHECK(diagnostic.message == "'db' has 2 values, which makes several jobs");
    CHECK(diagnostic.hint ==
          "for a list write db=[mysql,pg]; for one text write db='mysql,pg'; for a sweep add -m");
    CHECK(sources.slice(diagnostic.where) == "mysql,pg");
}

TEST_CASE("a value is spelled so that it reads back the same") {
    for (const char* text : {"a=1",
                             "a=[1,'a b',{x: 2, 'y z': \"it's\"}]",
                             "a=\\ x\\ ",
                             "a=a\\,b\\\\",
                             "a='tail\\\\'",
                             "a=${b:1,2}/c",
                             "a='10'",
                             "a=",
                             "a=['']",
                             "a={}",
                             "a=C:\\dir",
                             "a=x: y",
                             "a={a\\:b: \\(x\\)}",
                             "~a",
                             "+db@p=x",
                             "a:={x: null}"}) {
        CAPTURE(text);
        Sources sources;
        Diagnostics diagnostics;
        auto first = parse_override(sources.add_argument(1, text), diagnostics);
        REQUIRE(first);
        std::string spelled = spell_key(*first) + (first->value ? spell_value(*first->value) : "");
        CAPTURE(spelled);
        CHECK(read(spelled) == read(text));
    }
}

TEST_CASE("shuffling keeps every value and is the same each time") {
    std::string once = read("a=shuffle(range(8))");
    CHECK(once == read("a=shuffle(range(8))"));
    CHECK(once != read("a=range(8)"));
    CHECK(read("a=sort(shuffle(range(8)))") == read("a=range(8)"));
}
