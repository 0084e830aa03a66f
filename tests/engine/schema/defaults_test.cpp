#include "engine/schema/defaults.h"

#include "engine/base/json.h"
#include "tests/engine/schema/reading.h"

using namespace stillroom;

namespace {

constexpr const char* kSchema = R"(
type: object
properties:
  steps: {type: integer, default: 10}
  optimizer:
    type: object
    properties:
      lr: {type: number, default: 1e-4}
      betas: {type: array, items: {type: number}, default: [0.9, 0.95]}
    default: {}
  prefilter:
    type: object
    properties: {from: {type: integer, default: 50}}
  gate: {$ref: '#/$defs/gate', default: {}}
  shape: {$ref: '#/$defs/shape'}
  ramp:
    anyOf:
      - {type: number}
      - {type: object, properties: {to: {type: number}, form: {enum: [line, cosine], default: line}}}
    default: 0.1
  pieces:
    type: array
    items: {type: object, properties: {weight: {type: number, default: 1}}}
$defs:
  gate: {type: object, properties: {loss: {type: number, default: 2}}}
  shape: {type: object, properties: {layers: {type: integer, default: 3}}, default: {}}
)";

std::string filled(Reading& reading, const char* text) {
    Schema schema = reading.schema(kSchema);
    JsonWriter out;
    write_json(out, *with_defaults(schema, reading.yaml(text)));
    return out.take();
}

}  // namespace

TEST_CASE("every absent key with a default is filled in, maps with a default all through") {
    Reading reading;
    CHECK(filled(reading, "{}") ==
          R"({"steps":10,"optimizer":{"lr":0.0001,"betas":[0.9,0.95]},"gate":{"loss":2.0},)"
          R"("shape":{"layers":3},"ramp":0.1})");
}

TEST_CASE("what was written stays, and maps that were written are completed") {
    Reading reading;
    CHECK(filled(reading,
                 "{steps: 5, optimizer: {lr: 1}, prefilter: {}, gate: {loss: 1}, shape: {}, "
                 "ramp: {to: 3}, pieces: [{}, {weight: 2}]}") ==
          R"({"steps":5,"optimizer":{"lr":1,"betas":[0.9,0.95]},"prefilter":{"from":50},)"
          R"("gate":{"loss":1},"shape":{"layers":3},"ramp":{"to":3,"form":"line"},)"
          R"("pieces":[{"weight":1.0},{"weight":2}]})");
}

TEST_CASE("a default says that it is one, and where it stands") {
    Reading reading;
    Schema schema = reading.schema(kSchema);
    NodePtr map = with_defaults(schema, reading.yaml("{steps: 5}"));
    CHECK(map->get("steps")->origin == Origin::file);
    NodePtr lr = map->get("optimizer")->get("lr");
    CHECK(lr->origin == Origin::schema_default);
    CHECK(reading.sources.slice(lr->where) == "1e-4");
    CHECK(reading.sources.position(lr->where.begin).file == "test.schema.json");
    CHECK(map->get("optimizer")->get("betas")->items[1]->origin == Origin::schema_default);
}

TEST_CASE("a map that lacks nothing is handed back itself") {
    Reading reading;
    Schema schema = reading.schema("{properties: {a: {default: 1}}}");
    NodePtr map = reading.yaml("{a: 2}");
    CHECK(with_defaults(schema, map) == map);
}

TEST_CASE("rules about which keys are there do not count defaults") {
    Reading reading;
    Schema schema = reading.schema(R"(
type: object
properties: {score: {default: {}}, target: {}, shape: {}}
dependentRequired: {score: [target]}
oneOf: [{required: [target]}, {required: [shape]}]
maxProperties: 1
)");
    NodePtr map = with_defaults(schema, reading.yaml("{shape: 1}"));
    REQUIRE(map->get("score"));
    CHECK(!fits(schema, map));
    ValidateOptions options;
    options.written_only = true;
    CHECK(fits(schema, map, options));
    CHECK(!fits(schema, reading.yaml("{shape: 1, score: {}}"), options));
}
