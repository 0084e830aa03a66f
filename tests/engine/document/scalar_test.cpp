#include "engine/document/scalar.h"

#include "engine/base/json.h"

#include <doctest/doctest.h>

using namespace stillroom;

namespace {

NodePtr plain(const char* text) {
    auto node = std::make_shared<Node>();
    node->text = text;
    node->kind = core_kind(text);
    return node;
}

std::string json(const Node& node) {
    JsonWriter out;
    write_json(out, node);
    return out.take();
}

}  // namespace

TEST_CASE("plain text has the kind that YAML 1.2's core rules give it") {
    struct Row {
        const char* text;
        Kind kind;
        const char* json;
    };
    const Row rows[] = {
        {"", Kind::null, "null"},
        {"~", Kind::null, "null"},
        {"Null", Kind::null, "null"},
        {"True", Kind::boolean, "true"},
        {"FALSE", Kind::boolean, "false"},
        {"yes", Kind::string, "\"yes\""},
        {"y", Kind::string, "\"y\""},
        {"12", Kind::integer, "12"},
        {"+12", Kind::integer, "12"},
        {"-3", Kind::integer, "-3"},
        {"0o17", Kind::integer, "15"},
        {"0x1F", Kind::integer, "31"},
        {"0b11", Kind::string, "\"0b11\""},
        {"1_000", Kind::string, "\"1_000\""},
        {"6e9", Kind::number, "6000000000.0"},
        {"1E3", Kind::number, "1000.0"},
        {".5", Kind::number, "0.5"},
        {"1.", Kind::number, "1.0"},
        {"-.inf", Kind::number, "\"-inf\""},
        {".nan", Kind::number, "\"nan\""},
        {"inf", Kind::string, "\"inf\""},
        {"1:30", Kind::string, "\"1:30\""},
        {"2020-01-01", Kind::string, "\"2020-01-01\""},
        {".", Kind::string, "\".\""},
        {"1e", Kind::string, "\"1e\""},
        {"-", Kind::string, "\"-\""},
        {"-0x1F", Kind::string, "\"-0x1F\""},
    };
    for (const Row& row : rows) {
        CAPTURE(row.text);
        CHECK(plain(row.text)->kind == row.kind);
        CHECK(json(*plain(row.text)) == row.json);
    }
}

TEST_CASE("a leading zero is seen, a lone zero is not one") {
    CHECK(has_leading_zero("017"));
    CHECK(has_leading_zero("-08"));
    CHECK_FALSE(has_leading_zero("0"));
    CHECK_FALSE(has_leading_zero("0o17"));
    CHECK_FALSE(has_leading_zero("0.5"));
}

TEST_CASE("counts are what people write") {
    CHECK(parse_count("6B")->to_int64() == 6000000000);
    CHECK(parse_count("1.5B")->to_int64() == 1500000000);
    CHECK(parse_count("6_000_000_000")->to_int64() == 6000000000);
    CHECK(parse_count("6e9")->to_int64() == 6000000000);
    CHECK(parse_count("0x10")->to_int64() == 16);
    CHECK(parse_count("300K")->to_int64() == 300000);
    CHECK_FALSE(parse_count("6b"));
    CHECK_FALSE(parse_count("6GB"));
    CHECK_FALSE(parse_count("_6"));
    CHECK_FALSE(parse_count("B"));
}

TEST_CASE("sizes and times carry their unit") {
    CHECK(parse_bytes("5GB")->to_int64() == 5000000000);
    CHECK(parse_bytes("5GiB")->to_int64() == 5368709120);
    CHECK(parse_bytes("12")->to_int64() == 12);
    CHECK(parse_duration("90m")->to_int64() == 5400);
    CHECK(parse_duration("250ms")->text() == "0.25");
    CHECK_FALSE(parse_duration("5x"));
}

TEST_CASE("equality goes by value") {
    CHECK(deep_equal(*plain("6e9"), *plain("6000000000")));
    CHECK_FALSE(deep_equal(*plain("1"), *plain("true")));
    CHECK_FALSE(deep_equal(*plain("1"), *make_string("1")));
}
