#include "plugins/lm/config/config_text.h"

#include "engine/base/error.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cmath>

namespace stillroom::lm {
namespace {

ConfigText parse(std::string text) {
    return ConfigText::parse(std::move(text), "config.json");
}

std::string refusal(std::string text) {
    try {
        parse(std::move(text));
    } catch (const Error& error) {
        CHECK(error.exit_code() == kExitBadInput);
        return fmt::format(
                   "{}:{}:{}: ", error.where().file, error.where().line, error.where().column) +
               error.what();
    }
    return "";
}

constexpr const char* kSmall =
    "{\n"
    "  \"a\": 1,\n"
    "  \"eps\": 1e-06,\n"
    "  \"rope_scaling\": {\n"
    "    \"factor\": 8.0,\n"
    "    \"type\": \"linear\"\n"
    "  },\n"
    "  \"types\": [\n"
    "    \"x\",\n"
    "    \"y\"\n"
    "  ]\n"
    "}\n";

TEST_CASE("an edit changes the bytes of one value and no other") {
    ConfigText text = parse(kSmall);
    text.set(ConfigPath{"a"}, "20");
    std::string expected = kSmall;
    expected.replace(expected.find("\"a\": 1") + 5, 1, "20");
    CHECK(text.text() == expected);
    text.set(ConfigPath{"rope_scaling", "factor"}, "4.0");
    expected.replace(expected.find("8.0"), 3, "4.0");
    CHECK(text.text() == expected);
}

TEST_CASE("a new key stands where sorting puts it, spaced like its neighbours") {
    ConfigText text = parse(kSmall);
    text.set(ConfigPath{"head_dim"}, "64");
    CHECK(text.text().find("  \"eps\": 1e-06,\n  \"head_dim\": 64,\n  \"rope_scaling\"") !=
          std::string::npos);
    text.set(ConfigPath{"zeta"}, "null");
    CHECK(text.text().ends_with("  ],\n  \"zeta\": null\n}\n"));
    text.set(ConfigPath{"Alpha"}, "0");
    CHECK(text.text().starts_with("{\n  \"Alpha\": 0,\n  \"a\": 1,\n"));
    text.set(ConfigPath{"rope_scaling", "original"}, "7");
    CHECK(text.text().find("8.0,\n    \"original\": 7,\n    \"type\"") != std::string::npos);
}

TEST_CASE("a new key stands last where keys are in no order") {
    ConfigText text = parse(R"({"b":1,"a":2})");
    text.set(ConfigPath{"aa"}, "3");
    CHECK(text.text() == R"({"b":1,"a":2,"aa":3})");
    ConfigText one = parse(R"({"b": 1})");
    one.set(ConfigPath{"c"}, "3");
    CHECK(one.text() == R"({"b": 1, "c": 3})");
    ConfigText none = parse("{ }");
    none.set(ConfigPath{"c"}, "3");
    CHECK(none.text() == R"({"c": 3})");
}

TEST_CASE("a key goes with one comma, wherever it stands") {
    ConfigText text = parse(kSmall);
    text.remove(ConfigPath{"a"});
    CHECK(text.text().starts_with("{\n  \"eps\": 1e-06,\n"));
    text.remove(ConfigPath{"types"});
    CHECK(text.text().ends_with("\"linear\"\n  }\n}\n"));
    text.remove(ConfigPath{"rope_scaling", "factor"});
    text.remove(ConfigPath{"rope_scaling", "type"});
    CHECK(text.text() == "{\n  \"eps\": 1e-06,\n  \"rope_scaling\": {}\n}\n");
    text.remove(ConfigPath{"absent"});
    text.remove(ConfigPath{"absent", "key"});
    CHECK(text.text() == "{\n  \"eps\": 1e-06,\n  \"rope_scaling\": {}\n}\n");
}

TEST_CASE("a list is spelled like the one it replaces") {
    ConfigText text = parse(kSmall);
    std::vector<std::string> items{"\"p\"", "\"q\"", "\"r\""};
    const ConfigValue* types = text.root().find("types");
    CHECK(list_like(text.text(), *types, items) == "[\n    \"p\",\n    \"q\",\n    \"r\"\n  ]");
    ConfigText flat = parse(R"({"types": [1, 2]})");
    CHECK(list_like(flat.text(), *flat.root().find("types"), items) == R"(["p", "q", "r"])");
    CHECK(list_like(flat.text(), *flat.root().find("types"), {}) == "[]");
}

TEST_CASE("Python's numbers are read, tagged or bare") {
    ConfigText text = parse(
        R"({"a": NaN, "b": -Infinity, "c": {"__float__": "Infinity"}, "d": {"__float__": 1}, "e": 1e999, "f": 99999999999999999999})");
    CHECK(std::isnan(text.root().find("a")->number));
    CHECK(text.root().find("b")->number == -INFINITY);
    CHECK(text.root().find("c")->number == INFINITY);
    CHECK(text.root().find("d")->is_map());
    CHECK(text.root().find("e")->number == INFINITY);
    CHECK(text.root().find("f")->kind == ConfigValue::Kind::number);
    CHECK(text.root().find("f")->number == 1e20);
}

TEST_CASE("numbers are spelled as Python does") {
    CHECK(python_number(1e-6) == "1e-06");
    CHECK(python_number(1e-5) == "1e-05");
    CHECK(python_number(0.0001) == "0.0001");
    CHECK(python_number(10000) == "10000.0");
    CHECK(python_number(1e16) == "1e+16");
    CHECK(python_number(0.1) == "0.1");
    CHECK(python_number(-1.5) == "-1.5");
    CHECK(python_number(0) == "0.0");
    CHECK(python_number(-INFINITY) == "-Infinity");
}

TEST_CASE("what is no JSON is refused at its line and column") {
    CHECK(refusal("") == "config.json:1:1: no JSON: expected a value");
    CHECK(refusal("[1]") == "config.json:1:1: no JSON: expected a map");
    CHECK(refusal("{\"a\": 1,\n \"a\": 2}") ==
          "config.json:2:2: no JSON: the key 'a' stands twice");
    CHECK(refusal("{\"a\": 01}") == "config.json:1:7: no JSON: a number begins with 0");
    CHECK(refusal("{\"a\": 1} x") ==
          "config.json:1:10: no JSON: there is something behind the value");
    CHECK(refusal("{\"a\": \"\xff\"}").ends_with("this is no UTF-8"));
    CHECK(refusal(R"({"a": "\ud800"})").ends_with("half a surrogate pair"));
    CHECK(refusal(R"({"a": "\ud800\u0041"})").ends_with("half a surrogate pair"));
    CHECK(refusal(R"({"a": "\u12"})").ends_with("four hex digits"));
    CHECK(refusal("{\"a\": \"b").ends_with("a string has no end"));
    CHECK(refusal("{\"a\" 1}").ends_with("expected ':'"));
    CHECK(refusal("{a: 1}").ends_with("expected a key in quotes"));
    CHECK(refusal("{\"a\": nul}").ends_with("expected a value"));
    CHECK(refusal("{\"a\":" + std::string(300, '[')).ends_with("nested deeper than 256"));
    std::string many = "{\"a\": [1";
    for (int i = 0; i < 500'000; ++i)
        many += ",1";
    CHECK(refusal(many).ends_with("over 500000 values"));
    CHECK(
        refusal(std::string(ConfigText::kLimit + 1, ' ')).ends_with("over the limit of 16777216"));
}

}  // namespace
}  // namespace stillroom::lm
