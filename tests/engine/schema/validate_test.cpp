#include "engine/schema/validate.h"

#include "engine/base/codes.h"
#include "tests/engine/schema/reading.h"

using namespace stillroom;

namespace {

using Lines = std::vector<std::string>;

constexpr const char* kStage = R"(
type: object
properties:
  steps: {type: integer, minimum: 1, x-unit: steps}
  rate: {type: number, exclusiveMinimum: 0, exclusiveMaximum: 1}
  merge: {type: boolean}
  measure: {enum: [cosine, perplexity]}
  name: {type: string, pattern: '^[a-z]+$', maxLength: 5}
  layers: {type: array, items: {type: integer, minimum: 0}, uniqueItems: true, maxItems: 3}
  target:
    type: object
    properties: {params: {type: integer, format: count, description: most parameters}}
    required: [params]
    additionalProperties: false
  batch: {anyOf: [{const: auto}, {type: integer, minimum: 1}]}
  schedule:
    x-tag: kind
    oneOf:
      - type: object
        properties: {kind: {const: cosine}, warmup: {type: integer}}
        required: [kind]
        additionalProperties: false
      - type: object
        properties: {kind: {const: constant}, value: {type: number}}
        required: [kind, value]
        additionalProperties: false
additionalProperties: false
)";

Lines told(const char* text) {
    Reading reading;
    ValidateOptions options = in_recipe();
    options.name = "stage 'student' (prune.depth)";
    return reading.mistakes(reading.schema(kStage), text, options);
}

}  // namespace

TEST_CASE("a value that fits has no mistakes") {
    CHECK(told("{steps: 1, rate: 0.5, merge: true, measure: cosine, name: ab, layers: [1, 2]}")
              .empty());
    CHECK(
        told("{target: {params: 6B}, batch: auto, schedule: {kind: constant, value: 1}}").empty());
}

TEST_CASE("an unknown key is shown at the key, with the nearest name and the map it is in") {
    CHECK(told("targt: {params: 6e9}") ==
          Lines{"targt | unknown key 'targt' in stage 'student' (prune.depth) | did you mean "
                "'target'?"});
    CHECK(told("target: {params: 6e9, parms: 1}") ==
          Lines{"parms | unknown key 'parms' in 'target'"});
    CHECK(told("target: {zzz: 1, params: 1}") == Lines{"zzz | unknown key 'zzz' in 'target'"});
}

TEST_CASE("a misspelt key that is required is one mistake, not two") {
    CHECK(told("target: {parms: 6e9}") ==
          Lines{"parms | unknown key 'parms' in 'target' | did you mean 'params'?"});
}

TEST_CASE("a missing key is shown at the key of its map, with its help") {
    CHECK(told("target: {}") ==
          Lines{"target | missing key 'params' in 'target' | params: most parameters"});
}

TEST_CASE("a number out of bounds names value, limit and unit") {
    CHECK(told("steps: 0") == Lines{"0 | 'steps' is 0, but must be at least 1 step"});
    CHECK(told("rate: 1.0") == Lines{"1.0 | 'rate' is 1.0, but must be below 1"});
    CHECK(told("rate: 0") == Lines{"0 | 'rate' is 0, but must be above 0"});
    CHECK(told("layers: [1, -2]") == Lines{"-2 | 'layers[1]' is -2, but must be at least 0"});
}

TEST_CASE("a wrong type says what is wanted and how to write it") {
    CHECK(told("steps: many") ==
          Lines{"many | 'steps' must be an integer (at least 1), not 'many'"});
    CHECK(told("steps: 1.5") == Lines{"1.5 | 'steps' must be an integer (at least 1), not '1.5'"});
    CHECK(told("steps: '6'") ==
          Lines{"'6' | 'steps' must be an integer (at least 1), not \"6\" | take the quotes off"});
    CHECK(told("steps: 017") == Lines{"017 | 'steps' is 017: ambiguous leading zero | write 17"});
    CHECK(told("steps: 1e30") == Lines{"1e30 | 'steps' is 1e30, which does not fit 64 bits"});
    CHECK(told("merge: no") == Lines{"no | 'merge' must be true or false, not 'no' | write false"});
    CHECK(told("merge: yes") ==
          Lines{"yes | 'merge' must be true or false, not 'yes' | write true"});
    CHECK(told("merge: 'true'") ==
          Lines{"'true' | 'merge' must be true or false, not \"true\" | take the quotes off"});
    CHECK(
        told("target: {params: 6 billion}") ==
        Lines{
            "6 billion | 'target.params' must be an integer, not '6 billion' | write it as one of "
            "6000000000, 6e9, 6B"});
    CHECK(told("target: 6B") == Lines{"6B | 'target' must be a map, not '6B'"});
    CHECK(told("layers: 3") == Lines{"3 | 'layers' must be a list, not '3'"});
    CHECK(told("steps:") == Lines{" | 'steps' must be an integer (at least 1), not null | give a "
                                  "value, or remove the key"});
}

TEST_CASE("a value outside a list of words names the words and the nearest") {
    CHECK(told("measure: cosin") ==
          Lines{"cosin | 'measure' must be one of cosine or perplexity, not 'cosin' | did you mean "
                "'cosine'?"});
    CHECK(told("measure: {}") ==
          Lines{"{} | 'measure' must be one of cosine or perplexity, not a map"});
}

TEST_CASE("texts and lists name their rule") {
    CHECK(told("name: A") == Lines{"A | 'name' is 'A', which does not match ^[a-z]+$"});
    CHECK(told("name: abcdef") ==
          Lines{"abcdef | 'name' has 6 characters, but may have at most 5"});
    CHECK(told("layers: [1, 2, 3, 4]") ==
          Lines{"[1, 2, 3, 4] | 'layers' has 4 items, but may have at most 3"});
    CHECK(told("layers: [1, 2, 1]") ==
          Lines{"1 | item 2 of 'layers' equals item 0: items must differ"});
}

TEST_CASE("of alternatives the one that was meant is asked, by tag or by type") {
    CHECK(told("batch: 0") == Lines{"0 | 'batch' is 0, but must be at least 1"});
    CHECK(told("batch: atuo") ==
          Lines{"atuo | 'batch' must be an integer or auto, not 'atuo' | did you mean 'auto'?"});
    CHECK(told("schedule: {kind: cosine, warmup: x}") ==
          Lines{"x | 'schedule.warmup' must be an integer, not 'x'"});
    CHECK(told("schedule: {kind: constant, warmup: 3, value: 1}") ==
          Lines{"warmup | unknown key 'warmup' in 'schedule'"});
    CHECK(told("schedule: {kind: linear}") ==
          Lines{"linear | 'kind' must be one of cosine or constant, not 'linear'"});
    CHECK(told("schedule: {value: 1}") ==
          Lines{"schedule | missing key 'kind' in 'schedule' | kind is one of cosine or constant"});
    CHECK(told("schedule: 3") == Lines{"3 | 'schedule' must be a map, not '3'"});
}

TEST_CASE("every mistake is told at once, in the order of the document") {
    Lines lines = told("{measure: x, steps: 0, odd: 1, layers: [a, 1, b], merge: maybe}");
    REQUIRE(lines.size() == 6);
    CHECK(lines[0].starts_with("x |"));
    CHECK(lines[1].starts_with("0 |"));
    CHECK(lines[2].starts_with("odd |"));
    CHECK(lines[3].starts_with("a |"));
    CHECK(lines[4].starts_with("b |"));
    CHECK(lines[5].starts_with("maybe |"));
}

TEST_CASE("exactly one of several keys is told by the keys") {
    Reading reading;
    Schema schema = reading.schema(
        "{properties: {steps: {}, tokens: {}}, oneOf: [{required: [steps]}, {required: "
        "[tokens]}]}");
    ValidateOptions options;
    options.name = "stage 'healed'";
    CHECK(reading.mistakes(schema, "{a: 1}", options) ==
          Lines{"a | missing key: one of 'steps' or 'tokens' in stage 'healed'"});
    CHECK(reading.mistakes(schema, "{steps: 1, tokens: 2}", options) ==
          Lines{"tokens | 'steps' and 'tokens' exclude one another in stage 'healed' | keep one of "
                "them"});
}

TEST_CASE("paths are dotted with indices, pointers are JSON's") {
    Reading reading;
    Schema schema = reading.schema(
        "{additionalProperties: {type: array, items: {additionalProperties: {type: integer}}}}");
    ValidateOptions options;
    options.path = "stages.a";
    NodePtr value = reading.yaml("{'x/y~z': [{}, {k: no}]}");
    std::vector<Mistake> mistakes = validate(schema, value, options);
    REQUIRE(mistakes.size() == 1);
    CHECK(mistakes[0].path == "stages.a.x/y~z[1].k");
    CHECK(mistakes[0].pointer == "/x~1y~0z/1/k");
    CHECK(mistakes[0].code == code::kWrongType);
    CHECK(mistakes[0].value->text == "no");
    Diagnostic diagnostic = diagnostic_of(mistakes[0]);
    CHECK(diagnostic.key == mistakes[0].path);
    CHECK(diagnostic.code == code::kWrongType);
}

TEST_CASE("other rules say what they want") {
    Reading reading;
    auto first = [&](const char* schema, const char* text) {
        Lines lines = reading.mistakes(reading.schema(schema), text, {});
        return lines.size() == 1 ? lines[0] : std::to_string(lines.size());
    };
    CHECK(first("{properties: {a: {multipleOf: 8}}}", "{a: 12}") ==
          "12 | 'a' is 12, but must be a multiple of 8");
    CHECK(first("{propertyNames: {pattern: '^[a-z]+$'}}", "{A: 1}") ==
          "A | 'A' is no name for a key here: names match ^[a-z]+$");
    CHECK(first("{dependentRequired: {a: [b]}}", "{a: 1}") ==
          "a | key 'a' needs the key 'b' beside it");
    CHECK(first("{properties: {a: {not: {const: 1}}}}", "{a: 1}") == "1 | 'a' must not be '1'");
    CHECK(first("{properties: {a: false}}", "{a: 1}") == "a | 'a' is not allowed here");
    CHECK(first("{properties: {a: {contains: {type: integer}}}}", "{a: [x]}") ==
          "[x] | 'a' has 0 items of the kind asked for, but needs at least 1");
    CHECK(first("{minProperties: 2}", "{a: 1}") == "a | the value has 1 key, but needs at least 2");
    CHECK(first("{properties: {a: {minItems: 1}}}", "{a: []}") ==
          "[] | 'a' has 0 items, but needs at least 1");
    CHECK(first("{unevaluatedProperties: false, properties: {abc: {}}}", "{abd: 1}") ==
          "abd | unknown key 'abd' | did you mean 'abc'?");
    CHECK(first("{if: {required: [a]}, then: {properties: {a: {type: integer}}}}", "{a: x}") ==
          "x | 'a' must be an integer, not 'x'");
}

TEST_CASE("a schema that refers to itself without end is refused, not followed") {
    Reading reading;
    for (const char* text : {"{$ref: '#'}",
                             "{anyOf: [{$ref: '#'}, {$ref: '#'}]}",
                             "{$defs: {a: {$ref: '#/$defs/b'}, b: {$ref: '#/$defs/a'}}, $ref: "
                             "'#/$defs/a'}"})
        CHECK_THROWS_AS(fits(reading.schema(text), reading.yaml("{}")), Error);
    // 2^40 ways to the same place.
    std::string bomb = "{$ref: '#/$defs/d0', $defs: {";
    for (int i = 0; i < 40; ++i) {
        std::string next = "{$ref: '#/$defs/d" + std::to_string(i + 1) + "'}";
        bomb += "d" + std::to_string(i) + ": {allOf: [" + next + ", " + next + "]}, ";
    }
    bomb += "d40: {type: integer}}}";
    Schema schema = reading.schema(bomb);
    ValidateOptions options;
    options.most_steps = 100'000;
    CHECK_THROWS_AS(fits(schema, reading.yaml("1"), options), Error);
}

TEST_CASE("a long list is compared with itself in linear time") {
    Reading reading;
    std::string text = "[";
    for (int i = 0; i < 9'000; ++i)
        text += std::to_string(i) + ", ";
    Schema schema = reading.schema("{uniqueItems: true}");
    CHECK(fits(schema, reading.yaml(text + "-1]")));
    CHECK(!fits(schema, reading.yaml(text + "8999.0]")));
}

TEST_CASE("numbers are exact") {
    Reading reading;
    CHECK(fits(reading.schema("{multipleOf: 0.1}"), reading.yaml("0.3")));
    CHECK(!fits(reading.schema("{multipleOf: 0.1}"), reading.yaml("0.35")));
    CHECK(fits(reading.schema("{maximum: 9007199254740993}"), reading.yaml("9007199254740993")));
    CHECK(!fits(reading.schema("{maximum: 9007199254740992}"), reading.yaml("9007199254740993")));
    CHECK(fits(reading.schema("{type: integer, minimum: 1e300}"), reading.yaml("1e400")));
}
