#include "tests/engine/plan/kitchen.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

namespace stillroom {
namespace {

constexpr const char* kSchema = R"({
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "test.make",
  "description": "Make a report.",
  "type": "object",
  "properties": {
    "from": {"x-port": "report", "description": "what goes in"},
    "parts": {"x-port": "report", "x-many": true, "description": "what goes in too"},
    "steps": {"type": "integer", "format": "count", "default": 10, "description": "steps"},
    "rate": {"type": "number", "default": 0.1, "description": "rate"},
    "note": {"type": "string", "default": "none", "x-cache": "ignore", "description": "a note"},
    "token": {"type": "string", "x-secret": true, "description": "a secret"},
    "file": {
      "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
      "x-path": "input",
      "description": "what is read"
    },
    "nested": {
      "type": "object",
      "properties": {
        "files": {"type": "array", "items": {"type": "string", "x-path": "input"}, "description": "more"},
        "free": {"type": "object", "additionalProperties": {"$ref": "#/$defs/where"}, "description": "by name"},
        "quiet": {"type": "boolean", "default": false, "x-cache": "ignore", "description": "silence"}
      },
      "additionalProperties": false,
      "description": "settings inside a setting"
    },
    "to": {"type": "string", "x-path": "output", "description": "what is written"},
    "same": {"type": "boolean", "default": false, "description": "makes the same of everything"}
  },
  "additionalProperties": false,
  "$defs": {"where": {"type": "string", "x-path": "input"}},
  "x-outputs": {"report": "report"},
  "x-version": VERSION,
  "x-resources": "io"
})";

}  // namespace

const CheckedStage& Dish::stage(std::string_view name) const {
    for (const CheckedStage& stage : graph.stages)
        if (stage.name == name)
            return stage;
    FAIL("no stage " << name);
    return graph.stages.front();
}

Kitchen::Kitchen() {
    write_schema(1);
}

void Kitchen::write_schema(int version) {
    std::string text = kSchema;
    text.replace(text.find("VERSION"), 7, std::to_string(version));
    folder_.write("schemas/stages/test.make.schema.json", text);
}

std::unique_ptr<Dish> Kitchen::prepare() const {
    auto dish = std::make_unique<Dish>();
    dish->catalog = std::make_unique<Catalog>(
        dish->sources,
        std::vector<std::filesystem::path>{folder_.path() / "schemas",
                                           std::filesystem::path(STILLROOM_SOURCE) / "schemas"});
    Request request;
    request.recipe = folder_.path() / "recipe.yaml";
    request.catalog = dish->catalog.get();
    std::optional<Recipe> recipe = compose(dish->sources, request, dish->diagnostics);
    if (recipe) {
        CheckOptions options;
        options.request = request;
        options.environment = [](const std::string& name) {
            return name == "TEST_TOKEN" ? std::optional<std::string>("hf_canary") : std::nullopt;
        };
        Checked checked = check(dish->sources, *recipe, *dish->catalog, options, dish->diagnostics);
        if (dish->diagnostics.ok())
            dish->graph = build_graph(checked);
    }
    INFO(render(dish->diagnostics, dish->sources, {}));
    REQUIRE(dish->diagnostics.ok());
    return dish;
}

}  // namespace stillroom
