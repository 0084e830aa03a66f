#include "engine/base/json.h"
#include "engine/schema/defaults.h"
#include "tests/engine/schema/reading.h"

using namespace stillroom;

// The tables of the recipe language: what a plain or quoted scalar is where a schema wants a type.

namespace {

struct Row {
    const char* schema;
    const char* text;
    const char* becomes;  // as JSON, or "-" where the schema refuses it
};

std::string typed_json(const char* schema_text, const char* text, Typing typing) {
    Reading reading;
    Schema schema = reading.schema(schema_text);
    NodePtr value = reading.yaml(text);
    ValidateOptions options;
    options.typing = typing;
    if (!fits(schema, value, options)) {
        CHECK(!validate(schema, value, options).empty());
        return "-";
    }
    JsonWriter out;
    write_json(out, *typed(schema, value, typing));
    return out.take();
}

constexpr Row kRecipe[] = {
    {"{type: integer}", "6000000000", "6000000000"},
    {"{type: integer}", "6_000_000_000", "6000000000"},
    {"{type: integer}", "6e9", "6000000000"},
    {"{type: integer}", "6.0", "6"},
    {"{type: integer}", "6.5", "-"},
    {"{type: integer}", "1.", "1"},
    {"{type: integer}", "0x1F", "31"},
    {"{type: integer}", "0o17", "15"},
    {"{type: integer}", "0b11", "-"},
    {"{type: integer}", "+12", "12"},
    {"{type: integer}", "-3", "-3"},
    {"{type: integer}", "017", "-"},
    {"{type: integer}", "08", "-"},
    {"{type: integer}", "0", "0"},
    {"{type: integer}", "6B", "6000000000"},
    {"{type: integer}", "1.5B", "1500000000"},
    {"{type: integer}", "1.5b", "-"},
    {"{type: integer}", "2K", "2000"},
    {"{type: integer}", "2M", "2000000"},
    {"{type: integer}", "2G", "2000000000"},
    {"{type: integer}", "2T", "2000000000000"},
    {"{type: integer}", "0.0001K", "-"},
    {"{type: integer}", "9223372036854775807", "9223372036854775807"},
    {"{type: integer}", "9223372036854775808", "-"},
    {"{type: integer}", "1e30", "-"},
    {"{type: integer}", "'6'", "-"},
    {"{type: integer}", "\"6e9\"", "-"},
    {"{type: integer}", "true", "-"},
    {"{type: integer}", "~", "-"},
    {"{type: integer}", "six", "-"},
    {"{type: integer}", ".inf", "-"},
    {"{type: integer}", "1:30", "-"},
    {"{type: [integer, 'null']}", "~", "null"},
    {"{type: [integer, 'null']}", "6B", "6000000000"},
    {"{type: integer, format: count}", "6B", "6000000000"},
    {"{type: integer, format: bytes}", "5GB", "5000000000"},
    {"{type: integer, format: bytes}", "5GiB", "5368709120"},
    {"{type: integer, format: bytes}", "6B", "6"},
    {"{type: integer, format: bytes}", "'5GB'", "-"},
    {"{type: integer, format: duration}", "90m", "5400"},
    {"{type: integer, format: duration}", "2h", "7200"},
    {"{type: number, format: duration}", "250ms", "0.25"},
    {"{type: number}", "1e-5", "0.00001"},
    {"{type: number}", ".5", "0.5"},
    {"{type: number}", "1_000.5", "1000.5"},
    {"{type: number}", "6B", "6000000000.0"},
    {"{type: number}", "12", "12.0"},
    {"{type: number}", ".inf", "-"},
    {"{type: number}", "-.inf", "-"},
    {"{type: number}", ".nan", "-"},
    {"{type: number}", "inf", "-"},
    {"{type: number}", "'0.5'", "-"},
    {"{type: number}", "017", "-"},
    {"{type: boolean}", "true", "true"},
    {"{type: boolean}", "false", "false"},
    {"{type: boolean}", "no", "-"},
    {"{type: boolean}", "on", "-"},
    {"{type: boolean}", "0", "-"},
    {"{type: boolean}", "'true'", "-"},
    {"{type: string}", "1.20", "\"1.20\""},
    {"{type: string}", "no", "\"no\""},
    {"{type: string}", "017", "\"017\""},
    {"{type: string}", "0x1F", "\"0x1F\""},
    {"{type: string}", "true", "\"true\""},
    {"{type: string}", "1_000", "\"1_000\""},
    {"{type: string}", ".inf", "\".inf\""},
    {"{type: string}", "1:30", "\"1:30\""},
    {"{type: string}", "2020-01-01", "\"2020-01-01\""},
    {"{type: string}", "'quoted'", "\"quoted\""},
    {"{type: string}", "~", "-"},
    {"{type: string}", "null", "-"},
    {"{type: string}", "''", "\"\""},
    {"{type: string}", "[a]", "-"},
    {"{type: [string, 'null']}", "null", "null"},
    {"{type: string, pattern: '^[0-9.]+$'}", "1.20", "\"1.20\""},
    {"{type: string, maxLength: 3}", "1.20", "-"},
    {"{enum: [kl, ce]}", "kl", "\"kl\""},
    {"{enum: [kl, ce]}", "'kl'", "\"kl\""},
    {"{enum: [kl, ce]}", "mse", "-"},
    {"{enum: ['on', 'off']}", "on", "\"on\""},
    {"{enum: ['1.20']}", "1.20", "\"1.20\""},
    {"{enum: [16, 8]}", "16", "16"},
    {"{enum: [16, 8]}", "16.0", "16"},
    {"{enum: [16, 8]}", "0x10", "16"},
    {"{enum: [16, 8]}", "'16'", "-"},
    {"{enum: [1000]}", "1_000", "1000"},
    {"{const: true}", "true", "true"},
    {"{const: true}", "'true'", "-"},
    {"{const: true}", "1", "-"},
    {"{anyOf: [{const: auto}, {type: integer}]}", "auto", "\"auto\""},
    {"{anyOf: [{const: auto}, {type: integer}]}", "6e3", "6000"},
    {"{anyOf: [{const: auto}, {type: integer}]}", "'6'", "-"},
    {"{type: array, items: {type: integer}}", "[1, 2K, 3e0]", "[1,2000,3]"},
    {"{type: object, additionalProperties: {type: string}}",
     "{a: 1, b: no}",
     R"({"a":"1","b":"no"})"},
};

constexpr Row kJson[] = {
    {"{type: integer}", "12", "12"},
    {"{type: integer}", "1.0", "1"},
    {"{type: integer}", "1e30", "1000000000000000000000000000000"},
    {"{type: integer}", "6B", "-"},
    {"{type: integer}", "'6'", "-"},
    {"{type: integer, format: count}", "6B", "6000000000"},
    {"{type: integer, format: count}", "'6B'", "6000000000"},
    {"{type: integer, format: bytes}", "'5GiB'", "5368709120"},
    {"{type: number, format: duration}", "90m", "5400.0"},
    {"{type: string, format: count}", "6B", "\"6B\""},
    {"{type: string}", "1.20", "-"},
    {"{type: string, format: email}", "no address", "\"no address\""},
    {"{type: boolean}", "yes", "-"},
    {"{enum: [1]}", "1.0", "1"},
    {"{enum: [1]}", "true", "-"},
};

}  // namespace

TEST_CASE("in a recipe the schema has the last word over a plain scalar") {
    for (const Row& row : kRecipe) {
        INFO(row.schema, " <- ", row.text);
        CHECK(typed_json(row.schema, row.text, Typing::recipe) == row.becomes);
    }
}

TEST_CASE("outside recipes a scalar is what the file says, spelled only by a declared format") {
    for (const Row& row : kJson) {
        INFO(row.schema, " <- ", row.text);
        CHECK(typed_json(row.schema, row.text, Typing::json) == row.becomes);
    }
}

TEST_CASE("a typed value keeps its place and its history") {
    Reading reading;
    Schema schema = reading.schema("{type: integer}");
    std::shared_ptr<Node> value = copy(*reading.yaml("6B"));
    value->replaced = reading.yaml("old");
    value->written = reading.yaml("'${a}'");
    NodePtr result = typed(schema, value);
    CHECK(result->kind == Kind::integer);
    CHECK(result->text == "6000000000");
    CHECK(result->where == value->where);
    CHECK(result->replaced == value->replaced);
    CHECK(result->written == value->written);
    NodePtr same = reading.yaml("12");
    CHECK(typed(schema, same) == same);
}

TEST_CASE("what is still open fits anything where that is asked for") {
    Reading reading;
    Schema schema = reading.schema(
        "{oneOf: [{properties: {kind: {const: a}}}, {properties: {kind: {const: b}}}]}");
    ValidateOptions options = in_recipe();
    for (const char* text : {"{kind: ???}", "{kind: '${x}'}"}) {
        CHECK(!fits(schema, reading.yaml(text), options));
        ValidateOptions open = options;
        open.accept_missing = open.accept_references = true;
        CHECK(fits(schema, reading.yaml(text), open));
    }
    ValidateOptions open = options;
    open.accept_missing = true;
    CHECK(fits(reading.schema("{type: integer}"), reading.yaml("???"), open));
    CHECK(!fits(reading.schema("{type: integer}"), reading.yaml("'${a}'"), open));
}
