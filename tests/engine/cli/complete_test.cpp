#include "engine/cli/complete.h"

#include <doctest/doctest.h>

using namespace stillroom::cli;
using Words = std::vector<std::string>;

TEST_CASE("a line is split as a shell splits it, up to the cursor") {
    CHECK(split_shell_line("stillroom check ") == Words{"stillroom", "check", ""});
    CHECK(split_shell_line("a 'b c' d\\ e") == Words{"a", "b c", "d e"});
    CHECK(split_shell_line("a \"b \\\" c") == Words{"a", "b \" c"});
    CHECK(split_shell_line("a '") == Words{"a", ""});
}

TEST_CASE("verbs are offered first, with a blank since they are whole") {
    CHECK(complete({"che"}) == Words{"check "});
    CHECK(complete({"--json", "comp"}) == Words{"compose ", "completion "});
}

TEST_CASE("options are those of the verb and the common ones") {
    CHECK(complete({"compose", "r.yaml", "--res"}) == Words{"--resolve "});
    CHECK(complete({"check", "r.yaml", "--res"}) == Words{});
    CHECK(complete({"check", "--col"}) == Words{"--color "});
}

TEST_CASE("values of options are offered, beside the name and joined to it") {
    CHECK(complete({"--format", ""}) == Words{"text ", "json "});
    CHECK(complete({"graph", "r.yaml", "--format=m"}) == Words{"--format=mermaid "});
}

TEST_CASE("after -- nothing is an option") {
    CHECK(complete({"check", "r.yaml", "--", "--j"}) == Words{});
}

TEST_CASE("the actions of a verb are offered once") {
    CHECK(complete({"recipes", "s"}) == Words{"show "});
    CHECK(complete({"completion", "bash", ""}) == Words{});
}
