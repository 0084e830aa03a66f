#include "engine/schema/lookup.h"

#include "tests/engine/schema/reading.h"

using namespace stillroom;

namespace {

constexpr const char* kSettings = R"(
type: object
properties:
  target:
    type: object
    properties:
      params: {type: integer, format: count, minimum: 1, x-unit: parameters, description: most}
    additionalProperties: false
    description: bounds
  measure: {enum: [kl, ce], default: kl, description: how}
  batch: {anyOf: [{const: auto}, {type: integer, minimum: 1}], default: auto, description: rows}
  lr: {type: [number, 'null'], exclusiveMinimum: 0, maximum: 1, description: rate}
  names: {type: array, items: {type: string}, description: some}
  steps: {type: object, additionalProperties: {type: integer}, description: each}
  span: {$ref: '#/$defs/span', description: how long}
  model: {x-port: checkpoint, description: a port}
  fast: {type: boolean, deprecated: true, description: quick}
required: [target]
additionalProperties: false
$defs:
  span: {type: object, properties: {share: {type: number, description: part}}}
)";

std::string type_at(const Schema& schema, const std::vector<std::string>& path) {
    std::optional<KeyHelp> help = look_up_key(schema, path);
    return help ? help->type : "none";
}

}  // namespace

TEST_CASE("a key's type is told in a few words") {
    Reading reading;
    Schema schema = reading.schema(kSettings);
    CHECK(type_at(schema, {"target"}) == "map");
    CHECK(type_at(schema, {"target", "params"}) == "integer (count) ≥ 1");
    CHECK(type_at(schema, {"measure"}) == "one of kl or ce");
    CHECK(type_at(schema, {"batch"}) == "auto or integer ≥ 1");
    CHECK(type_at(schema, {"lr"}) == "number > 0, ≤ 1 or null");
    CHECK(type_at(schema, {"names"}) == "list of text");
    CHECK(type_at(schema, {"names", "0"}) == "text");
    CHECK(type_at(schema, {"steps"}) == "map to integer");
    CHECK(type_at(schema, {"steps", "any"}) == "integer");
    CHECK(type_at(schema, {"span"}) == "map");
    CHECK(type_at(schema, {"span", "share"}) == "number");
    CHECK(type_at(schema, {"model"}) == "checkpoint");
    CHECK(type_at(schema, {"target", "parms"}) == "none");
    CHECK(type_at(schema, {"nothing"}) == "none");
}

TEST_CASE("a key's help has its description, unit, default and choices") {
    Reading reading;
    Schema schema = reading.schema(kSettings);
    std::optional<KeyHelp> params = look_up_key(schema, {"target", "params"});
    REQUIRE(params);
    CHECK(params->name == "params");
    CHECK(params->description == "most");
    CHECK(params->unit == "parameters");
    CHECK(!params->required);
    CHECK(!params->default_value);
    CHECK(look_up_key(schema, {"target"})->required);
    std::optional<KeyHelp> measure = look_up_key(schema, {"measure"});
    CHECK(measure->default_value->text == "kl");
    CHECK(measure->choices == std::vector<std::string>{"kl", "ce"});
    CHECK(look_up_key(schema, {"batch"})->choices == std::vector<std::string>{"auto"});
    CHECK(look_up_key(schema, {"fast"})->choices == std::vector<std::string>{"true", "false"});
    CHECK(look_up_key(schema, {"fast"})->deprecated);
    // What stands beside a reference comes before what it refers to.
    CHECK(look_up_key(schema, {"span"})->description == "how long");
}

TEST_CASE("the keys at a path are those that the map there may have") {
    Reading reading;
    Schema schema = reading.schema(kSettings);
    auto names = [&](const std::vector<std::string>& path) {
        std::vector<std::string> out;
        for (const KeyHelp& help : keys_at(schema, path))
            out.push_back(help.name);
        return out;
    };
    CHECK(names({}).size() == 9);
    CHECK(names({}).front() == "target");
    CHECK(names({"target"}) == std::vector<std::string>{"params"});
    CHECK(names({"span"}) == std::vector<std::string>{"share"});
    CHECK(names({"steps"}).empty());
    CHECK(names({"measure"}).empty());
    CHECK(keys_at(schema, {}).front().has_keys);
}
