#include "engine/schema/pattern.h"

#include <doctest/doctest.h>

#include <string>

using namespace stillroom;

namespace {

bool matches(const char* pattern, std::string_view text) {
    Pattern compiled(pattern);
    INFO(pattern, ": ", compiled.problem());
    REQUIRE(compiled.ok());
    return compiled.find_in(text) == Pattern::Match::yes;
}

}  // namespace

TEST_CASE("a pattern is found anywhere, and $ is the very end") {
    CHECK(matches("b", "abc"));
    CHECK(matches("^a.c$", "abc"));
    CHECK(!matches("^b", "abc"));
    CHECK(!matches("c$", "abc\n"));
    CHECK(!matches("^b", "a\nb"));
}

TEST_CASE("\\d and \\w are ASCII, \\s every Unicode blank, the dot no line end") {
    CHECK(matches("^\\d$", "7"));
    CHECK(!matches("^\\d$", "\u0967"));
    CHECK(!matches("^\\w$", "é"));
    CHECK(matches("^\\W$", "é"));
    CHECK(matches("^[\\d_]$", "_"));
    for (const char* blank : {" ", "\t", "\n", "\v", "\u00a0", "\u2003", "\u2029", "\ufeff"}) {
        CHECK(matches("^\\s$", blank));
        CHECK(matches("^[\\sx]$", blank));
        CHECK(!matches("^\\S$", blank));
        CHECK(!matches("^[\\S]$", blank));
    }
    CHECK(!matches("^\\s$", "\u0085"));
    CHECK(matches("^[\\S]$", "😀"));
    CHECK(matches("^.$", "😀"));
    for (const char* end : {"\n", "\r", "\u2028", "\u2029"})
        CHECK(!matches("^.$", end));
    CHECK(matches("^.$", "\u0085"));
    CHECK(matches("^[.]$", "."));
}

TEST_CASE("escapes are ECMA's") {
    CHECK(matches("^\\u00e9$", "é"));
    CHECK(matches("^\\ud83d\\ude00$", "😀"));
    CHECK(matches("^\\u{1F600}$", "😀"));
    CHECK(matches("^[\\u{1F600}-\\u{1F64F}]$", "😀"));
    CHECK(matches("^\\x41$", "A"));
    CHECK(matches("^\\cJ\\cj$", "\n\n"));
    CHECK(matches("^\\v$", "\v"));
    CHECK(matches("^\\0$", std::string_view("\0", 1)));
    CHECK(matches("^\\p{Letter}\\p{Lu}\\p{gc=Nd}$", "éA1"));
    CHECK(matches("^\\P{L}$", "1"));
    CHECK(matches("^\\p{Script=Greek}$", "λ"));
    CHECK(matches("^\\/\\-\\.$", "/-."));
    CHECK(matches("^(?<a>x)\\k<a>$", "xx"));
    CHECK(matches("^(?:a|(b))\\1c$", "ac"));
}

TEST_CASE("brackets mean what ECMA says, not POSIX") {
    CHECK(matches("^[[:alpha:]]$", "a]"));
    CHECK(!matches("[]", "a"));
    CHECK(matches("^[^]$", "\n"));
    CHECK(matches("^[a\\]]$", "]"));
}

TEST_CASE("what only PCRE2 knows is refused with a reason") {
    for (const char* pattern :
         {"\\Aa",  "a\\Z",  "\\Qa",    "\\h",      "\\K",     "\\C",         "\\a",
          "(?i)a", "(?>a)", "(?#c)",   "(?P<n>a)", "(*ANY)a", "a++",         "a*+",
          "a{2}+", "a**",   "\\ud83d", "\\u12",    "\\x1",    "\\c1",        "\\p{Nonsense}",
          "\\pL",  "(",     "[a",      "a\\",      "*a",      "\\u{110000}", "[b-a]"}) {
        INFO(pattern);
        Pattern compiled(pattern);
        CHECK(!compiled.ok());
        CHECK(!compiled.problem().empty());
        CHECK(compiled.offset() <= std::string_view(pattern).size());
    }
    CHECK(!Pattern("\xff").ok());
}

TEST_CASE("a pattern that would take for ever is given up") {
    Pattern pattern("^(a+)+$");
    REQUIRE(pattern.ok());
    CHECK(pattern.find_in(std::string(60, 'a') + "b") == Pattern::Match::too_costly);
    CHECK(pattern.find_in(std::string(60, 'a')) == Pattern::Match::yes);
}
