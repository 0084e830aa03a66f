#include "engine/cli/command_line.h"

#include <doctest/doctest.h>

#include <map>
#include <set>

using namespace stillroom;
using namespace stillroom::cli;

namespace {

struct Read {
    Sources sources;
    Diagnostics diagnostics;
    CommandLine line;

    explicit Read(std::vector<const char*> arguments) {
        arguments.insert(arguments.begin(), "stillroom");
        line = read_command_line(
            static_cast<int>(arguments.size()), arguments.data(), sources, diagnostics);
    }
    std::string problems() const { return render(diagnostics, sources, {}); }
};

}  // namespace

TEST_CASE("options may stand before the verb, after it and between its words") {
    Read read({"--config-dir", "a", "check", "--json", "r.yaml", "--config-dir=b", "x=1", "-v"});
    CHECK(read.problems() == "");
    REQUIRE(read.line.verb != nullptr);
    CHECK(read.line.verb->name == "check");
    REQUIRE(read.line.words.size() == 2);
    CHECK(read.line.words[0].text == "r.yaml");
    CHECK(read.line.words[1].text == "x=1");
    CHECK(read.line.words[1].index == 7);
    CHECK(read.line.values("--config-dir").size() == 2);
    CHECK(read.line.value("--config-dir")->text == "b");
    CHECK(read.line.has("--json"));
    CHECK(read.line.has("--verbose"));
}

TEST_CASE("an override may look like anything but an option") {
    std::vector<const char*> words = {"check",
                                      "r.yaml",
                                      "~a",
                                      "+b=1",
                                      "++c=[1,2]",
                                      "d={x: 1}",
                                      "e^=[1]",
                                      "f-=[1]",
                                      "g:={a: 1}",
                                      "h=",
                                      "/i=1",
                                      "j=a b",
                                      "[k]",
                                      "l.-1=9",
                                      "m@n=o",
                                      "p=--q"};
    Read read(words);
    CHECK(read.problems() == "");
    REQUIRE(read.line.words.size() == words.size() - 1);
    for (std::size_t i = 1; i < words.size(); ++i) {
        CHECK(read.line.words[i - 1].text == words[i]);
        CHECK(read.line.words[i - 1].index == static_cast<int>(i) + 1);
    }
}

TEST_CASE("after -- everything is a word") {
    Read read({"check", "r.yaml", "--", "-a=1", "--json"});
    CHECK(read.problems() == "");
    REQUIRE(read.line.words.size() == 3);
    CHECK(read.line.words[1].text == "-a=1");
    CHECK(read.line.words[2].text == "--json");
    CHECK_FALSE(read.line.has("--json"));
}

TEST_CASE("a misspelt option points into argv and offers the nearest") {
    Read read({"check", "r.yaml", "--jsno"});
    CHECK(read.problems() ==
          "argv:3:1: error: unknown option '--jsno'\n"
          "      | --jsno\n"
          "      | ^~~~~~\n"
          "hint: did you mean '--json'?\n");
    CHECK(read.diagnostics.exit_code() == 2);
}

TEST_CASE("a wrong choice is marked at its value, not at its option") {
    Read read({"check", "r.yaml", "--format=jso"});
    CHECK(read.problems() ==
          "argv:3:10: error: option '--format' is text or json, not 'jso'\n"
          "      | --format=jso\n"
          "      |          ^~~\n"
          "hint: did you mean 'json'?\n");
}

TEST_CASE("a verb may give a common option other choices") {
    CHECK(Read({"graph", "r.yaml", "--format", "dot"}).problems() == "");
    CHECK(Read({"--format", "dot", "graph", "r.yaml"}).problems() == "");
    CHECK(Read({"check", "r.yaml", "--format", "dot"}).problems() != "");
}

TEST_CASE("all mistakes in options are told at once") {
    Read read({"check", "r.yaml", "--jsno", "--resolve", "--color", "blue"});
    CHECK(read.diagnostics.errors() == 3);
}

TEST_CASE("an option without its value, and a flag with one, are mistakes") {
    CHECK(Read({"check", "r.yaml", "--limit"}).problems().find("option '--limit' needs a value") !=
          std::string::npos);
    CHECK(Read({"check", "r.yaml", "--config-dir", "--json"}).diagnostics.errors() == 1);
    CHECK(Read({"check", "r.yaml", "--json=yes"}).problems().find("'--json' takes no value") !=
          std::string::npos);
}

TEST_CASE("an unknown verb offers the nearest") {
    Read read({"chekc", "r.yaml"});
    CHECK(read.problems().find("unknown verb 'chekc'") != std::string::npos);
    CHECK(read.problems().find("did you mean 'check'?") != std::string::npos);
    CHECK(Read({"r.yaml"}).problems().find("`stillroom check r.yaml`") != std::string::npos);
}

TEST_CASE("too few and too many words are mistakes") {
    CHECK(Read({"check"}).diagnostics.errors() == 1);
    CHECK(Read({"parse", "a.yaml", "b.yaml"}).diagnostics.errors() == 1);
    CHECK(Read({"recipes", "list"}).diagnostics.errors() == 1);
}

TEST_CASE("help and version silence every other mistake") {
    CHECK(Read({"check", "--help", "--bogus"}).problems() == "");
    CHECK(Read({"--version", "chekc"}).problems() == "");
}

TEST_CASE("the table is sound: arities agree, letters are unique, every help has two examples") {
    std::map<std::string_view, bool> takes_value;
    std::map<char, std::string_view> letters;
    auto look_at = [&](std::span<const Option> options) {
        for (const Option& option : options) {
            auto [known, is_new] = takes_value.emplace(option.name, !option.value.empty());
            CHECK_MESSAGE(known->second == !option.value.empty(), option.name);
            if (option.letter == 0)
                continue;
            auto [letter, is_new_letter] = letters.emplace(option.letter, option.name);
            CHECK_MESSAGE(letter->second == option.name, option.name);
        }
    };
    look_at(common_options());
    CHECK(common_examples().size() == 2);
    for (const Verb& verb : verbs()) {
        look_at(verb.options);
        CHECK_MESSAGE(verb.examples.size() == 2, verb.name);
        CHECK_MESSAGE((verb.run != nullptr), verb.name);
        CHECK(verb.least <= verb.most);
        for (const Example& example : verb.examples)
            CHECK_MESSAGE(example.line.starts_with("stillroom " + std::string(verb.name)),
                          example.line);
    }
}
