#include "engine/schema/schema.h"

#include "engine/base/codes.h"
#include "tests/engine/schema/reading.h"

using namespace stillroom;

namespace {

/// "text at the place | message" of what is wrong with a schema.
std::vector<std::string> problems(const char* text, const SchemaResolver& resolver = nullptr) {
    Reading reading;
    Schema schema = compile(reading.yaml(text), "", resolver, reading.diagnostics);
    CHECK(static_cast<bool>(schema) == reading.diagnostics.ok());
    std::vector<std::string> out;
    for (const Diagnostic& diagnostic : reading.diagnostics.all())
        out.push_back(std::string(reading.sources.slice(diagnostic.where)) + " | " +
                      diagnostic.message);
    return out;
}

using Lines = std::vector<std::string>;

}  // namespace

TEST_CASE("a schema with mistakes is not compiled, and every mistake has its place") {
    CHECK(problems("{$ref: '#/$defs/a'}") ==
          Lines{"'#/$defs/a' | $ref \"#/$defs/a\" leads nowhere"});
    CHECK(problems("{$ref: 'http://other/'}") ==
          Lines{"'http://other/' | $ref \"http://other/\" leads nowhere"});
    CHECK(problems("{pattern: '('}").size() == 1);
    CHECK(problems("{minimum: x, maxLength: -1, type: text, required: a}") ==
          Lines{"x | 'minimum' must be a number, not 'x'",
                "-1 | 'maxLength' must be an integer of at least 0, not '-1'",
                "text | 'type' must be null, boolean, integer, number, string, array or object, "
                "not 'text'",
                "a | 'required' must be a list of names, not 'a'"});
    CHECK(problems("{multipleOf: 0}") ==
          Lines{"0 | 'multipleOf' must be a number above 0, not '0'"});
    CHECK(problems("{properties: {a: 3}}") == Lines{"3 | a schema is a map or a boolean, not '3'"});
    CHECK(problems("{$schema: 'http://json-schema.org/draft-07/schema#'}") ==
          Lines{"'http://json-schema.org/draft-07/schema#' | unknown dialect "
                "\"http://json-schema.org/draft-07/schema#\""});
    CHECK(problems("{unknown: {$ref: 3}, x-mine: 1, properties: {}}").empty());
}

TEST_CASE("a dialect chooses its vocabularies") {
    Reading reading;
    SchemaResolver resolver = [&](const std::string& uri) -> NodePtr {
        if (uri == "http://mine/no-validation")
            return reading.yaml(
                "{$vocabulary: {'https://json-schema.org/draft/2020-12/vocab/core': true, "
                "'https://json-schema.org/draft/2020-12/vocab/applicator': true, 'http://a/b': "
                "false}}");
        if (uri == "http://mine/strange")
            return reading.yaml("{$vocabulary: {'http://strange/vocabulary': true}}");
        return nullptr;
    };
    NodePtr document = reading.yaml(
        "{$schema: 'http://mine/no-validation', properties: {a: {type: integer}, b: false}}");
    Schema schema = compile(document, "", resolver, reading.diagnostics);
    REQUIRE(schema);
    CHECK(fits(schema, reading.yaml("{a: text}")));
    CHECK(!fits(schema, reading.yaml("{b: 1}")));
    CHECK(problems("{$schema: 'http://mine/strange'}", resolver).size() == 1);
}

TEST_CASE("documents of others are asked of the resolver, once each") {
    Reading reading;
    int asked = 0;
    SchemaResolver resolver = [&](const std::string& uri) -> NodePtr {
        ++asked;
        return uri == "http://mine/number" ? reading.yaml("{$defs: {n: {type: integer}}}")
                                           : nullptr;
    };
    NodePtr document = reading.yaml(
        "{$id: 'http://mine/root', properties: {a: {$ref: 'number#/$defs/n'}, b: {$ref: "
        "'number#/$defs/n'}}}");
    Schema schema = compile(document, "", resolver, reading.diagnostics);
    REQUIRE(schema);
    CHECK(asked == 1);
    CHECK(fits(schema, reading.yaml("{a: 1}")));
    CHECK(!fits(schema, reading.yaml("{b: x}")));
}

TEST_CASE("the draft's own documents are built in") {
    Reading reading;
    NodePtr document = reading.yaml("{$ref: 'https://json-schema.org/draft/2020-12/schema'}");
    Schema schema = compile(document, "", nullptr, reading.diagnostics);
    REQUIRE(schema);
    CHECK(fits(schema, reading.yaml("{type: integer}")));
    CHECK(!fits(schema, reading.yaml("{properties: {a: {type: whole}}}")));
    std::vector<Mistake> mistakes =
        mistakes_as_schema(reading.yaml("{properties: {a: {minLength: -1}}}"));
    REQUIRE(mistakes.size() == 1);
    CHECK(mistakes[0].path == "properties.a.minLength");
}

TEST_CASE("a long chain of references needs no deep stack to compile") {
    Reading reading;
    std::string text = "{$ref: '#/$defs/d0', $defs: {";
    for (int i = 0; i < 1'000; ++i)
        text += "d" + std::to_string(i) + ": {$ref: '#/$defs/d" + std::to_string(i + 1) + "'}, ";
    Schema schema = reading.schema(text + "d1000: {type: integer}}}");
    CHECK(fits(schema, reading.yaml("1")));
    CHECK(!fits(schema, reading.yaml("x")));
}
