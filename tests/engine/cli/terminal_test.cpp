#include "engine/cli/terminal.h"

#include "engine/base/text.h"
#include "tests/engine/cli/variable.h"

#include <doctest/doctest.h>

#include <cstdlib>

using namespace stillroom;
using namespace stillroom::cli;

TEST_CASE("the flag wins over NO_COLOR, which wins over FORCE_COLOR, which wins over TERM=dumb") {
    Variable no("NO_COLOR", nullptr), force("FORCE_COLOR", nullptr), cli("CLICOLOR_FORCE", nullptr),
        term("TERM", "dumb");
    CHECK_FALSE(wants_color(""));
    CHECK(wants_color("always"));
    Variable forced("FORCE_COLOR", "1");
    CHECK(wants_color(""));
    CHECK(wants_color("auto"));
    Variable off("NO_COLOR", "1");
    CHECK_FALSE(wants_color(""));
    CHECK(wants_color("always"));
    CHECK_FALSE(wants_color("never"));
    Variable empty("NO_COLOR", "");
    CHECK(wants_color(""));
}

TEST_CASE("COLUMNS counts, but less than 20 columns do not") {
    Variable wide("COLUMNS", "133");
    CHECK(columns() == 133);
    Variable narrow("COLUMNS", "7");
    CHECK(columns() == 20);
}

TEST_CASE("no wrapped line is wider than the width unless one word is") {
    std::string text = wrap("one two three four five unbelievablylongword six", 10, 2);
    CHECK(text == "one two\n  three\n  four\n  five\n  unbelievablylongword\n  six");
    CHECK(wrap("a b", 80) == "a b");
    CHECK(wrap("", 80) == "");
}

TEST_CASE("where there is no room beside a name its text stands below") {
    CHECK(TwoColumns(80, 8).row("name", "what it is") == "  name      what it is\n");
    CHECK(TwoColumns(24, 8).row("name", "what it is") == "  name\n      what it is\n");
    CHECK(TwoColumns(80, 4).row("a-long-name", "x") == "  a-long-name\n        x\n");
}

TEST_CASE("a word that a shell would take apart is quoted") {
    CHECK(shell_word("recipes/tiny.yaml") == "recipes/tiny.yaml");
    CHECK(shell_word("größe.yaml") == "größe.yaml");
    CHECK(shell_word("my recipe.yaml") == "'my recipe.yaml'");
    CHECK(shell_word("it's") == "'it'\\''s'");
    CHECK(shell_word("$(date)") == "'$(date)'");
    CHECK(shell_word("") == "''");
}
