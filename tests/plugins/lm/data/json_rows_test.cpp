#include "plugins/lm/data/json_rows.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstring>

namespace stillroom::lm {
namespace {

/// The texts of the fields joined by '|', or "COLUMN: why".
std::string read(std::string_view line, std::vector<std::string> keys = {"text"}) {
    JsonRows rows(std::move(keys));
    if (auto fault = rows.read(line))
        return fmt::format("{}: {}", fault->at, fault->why);
    std::string out;
    for (std::string_view text : rows.texts())
        out += (out.empty() ? "" : "|") + std::string(text);
    return out;
}

std::string hint_of(std::string_view line, const std::string& key) {
    JsonRows rows({key});
    auto fault = rows.read(line);
    return fault ? fault->hint : "nothing is wrong";
}

}  // namespace

TEST_CASE("a field's text is what JSON says it is") {
    CHECK(read(R"({"text": "plain"})") == "plain");
    CHECK(read(R"( { "a" : [ 1 , -2.5e+3 , {} , [ ] ] , "text" : "x" , "b" : null } )") == "x");
    CHECK(read(R"({"text": "a\n\t\"\\\/ \u00e9\u4E2d"})") == "a\n\t\"\\/ \xc3\xa9\xe4\xb8\xad");
    CHECK(read(R"({"text": "\ud83d\ude42!"})") == "\xf0\x9f\x99\x82!");
    CHECK(read(R"({"text": "a\u0000b"})") == std::string("a\0b", 3));
    CHECK(read(R"({"t\u0065xt": "by any name"})") == "by any name");
    CHECK(read("{\"text\": \"\xe5\x8c\x97\xe4\xba\xac\"}") == "\xe5\x8c\x97\xe4\xba\xac");
    CHECK(read("{\"text\": \"\x7f\"}") == "\x7f");
    CHECK(read(R"({"text": ""})").empty());
}

TEST_CASE("several fields, and fields inside maps") {
    CHECK(read(R"({"b": "2", "a": "1"})", {"a", "b"}) == "1|2");
    CHECK(read(R"({"a": {"b": {"c": "deep"}, "d": 1}})", {"a.b.c"}) == "deep");
    CHECK(read(R"({"a": {"b": "1", "c": "2"}})", {"a.c", "a.b"}) == "2|1");
    CHECK(read(R"({"a.b": "dot"})", {"a.b"}) == "dot");
    CHECK(read(R"({"a": "text"})", {"a.b"}) == "0: there is no field 'a.b'");
}

TEST_CASE("a field must be there once, and be a string") {
    CHECK(read(R"({"body": "x"})") == "0: there is no field 'text'");
    CHECK(read(R"({"text": 5})") == "9: the field 'text' is a number, not a string");
    CHECK(read(R"({"text": null})") == "9: the field 'text' is null, not a string");
    CHECK(read(R"({"text": {"a": 1}})") == "9: the field 'text' is a map, not a string");
    CHECK(read(R"({"text": "a", "text": "b"})") == "22: the field 'text' stands here again");
    CHECK(read(R"({"a.b": "1", "a": {"b": "2"}})", {"a.b"}) ==
          "24: the field 'a.b' stands here again");
    CHECK(read(R"({"x": {"text": "inside"}})") == "0: there is no field 'text'");
    CHECK(hint_of(R"({"txt": 1, "b": 2})", "text") == "did you mean 'txt'?");
    CHECK(hint_of(R"({"body": 1, "url": 2})", "text") == "the line has 'body', 'url'");
}

TEST_CASE("the whole line must be JSON") {
    for (const char* line : {"",
                             "text",
                             "\"text\"",
                             "[]",
                             "{\"text\": \"a\"",
                             "{\"text\": \"a\"} x",
                             "{\"text\": \"a\",}",
                             "{\"text\" \"a\"}",
                             "{\"text\": \"a\", 5: 1}",
                             "{text: \"a\"}",
                             "{\"text\": \"a\", \"b\": 01}",
                             "{\"text\": \"a\", \"b\": -}",
                             "{\"text\": \"a\", \"b\": 1.}",
                             "{\"text\": \"a\", \"b\": .5}",
                             "{\"text\": \"a\", \"b\": 1e}",
                             "{\"text\": \"a\", \"b\": tru}",
                             "{\"text\": \"a\", \"b\": NaN}",
                             "{\"text\": \"a\", \"b\": [1, 2}",
                             "{\"text\": \"a\", \"b\": [1, ]}",
                             "{\"text\": \"a\", \"b\": \"\\x\"}",
                             "{\"text\": \"a\", \"b\": \"\\u12\"}",
                             "{\"text\": \"a\\",
                             "{\"text\": \"a\tb\"}",
                             "{\"text\": \"\\ud800\"}",
                             "{\"text\": \"\\udc00\\ud800\"}",
                             "{\"text\": \"a\", \"b\": \"\\ud800x\"}",
                             "{\"text\": \"\xff\"}",
                             "{\"text\": \"\xed\xa0\x80\"}",
                             "{\"text\": \"\xc0\x80\"}",
                             "{\"text\": \"a\", \"\xe5\x8c\": 1}"}) {
        CAPTURE(line);
        JsonRows rows({"text"});
        CHECK(rows.read(line).has_value());
    }
    CHECK(JsonRows({"text"}).read(std::string_view("{\"text\": \"a\"}\0", 14)).has_value());
    CHECK(read("{\"text\": \"a\tb\"}") ==
          "11: a control character (0x09) stands in a string as it is, without an escape");
}

TEST_CASE("a line may be nested 256 deep and no deeper") {
    auto nested = [](int depth) {
        std::string open(static_cast<std::size_t>(depth), '['), close(open.size(), ']');
        return "{\"text\": \"a\", \"b\": " + open + close + "}";
    };
    CHECK(read(nested(255)) == "a");
    CHECK(read(nested(256)).ends_with("maps and lists are nested deeper than 256"));
    CHECK(read(nested(1'000'000)).ends_with("deeper than 256"));
}

TEST_CASE("lists of messages and whole lists are wrong in every line") {
    JsonRows rows({"messages"});
    CHECK(rows.read(R"({"messages": [{"role": "user"}]})")->of_kind);
    CHECK(rows.read(R"([{"messages": ""}])")->of_kind);
    CHECK_FALSE(rows.read(R"({"messages": 1})")->of_kind);
}

TEST_CASE("the end of a plain part is found at every distance") {
    for (char end : {'"', '\\', '\n', '\0', '\x1f'})
        for (std::size_t length = 0; length < 70; ++length) {
            std::string text(length, '\x80');
            text += end;
            text += "beyond what is looked at, \" \\";
            CHECK(plain_end(text.data(), text.data() + text.size()) == text.data() + length);
            CHECK(plain_end(text.data(), text.data() + length) == text.data() + length);
        }
}

}  // namespace stillroom::lm
