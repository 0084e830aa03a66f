#include "engine/schema/catalog.h"

#include "engine/base/codes.h"
#include "engine/base/files.h"
#include "engine/schema/defaults.h"
#include "tests/engine/schema/reading.h"

#include <cstdlib>

using namespace stillroom;
namespace fs = std::filesystem;

namespace {

fs::path installed() {
    return fs::path(environment("STILLROOM_TEST_ROOT")) / "schemas";
}

/// A folder of the test's own, gone with it.
struct Folder {
    fs::path path;

    Folder() {
        std::string name = (fs::temp_directory_path() / "schemas-XXXXXX").string();
        REQUIRE(mkdtemp(name.data()));
        path = name;
    }
    ~Folder() { fs::remove_all(path); }

    void add(const std::string& file, const std::string& text) const {
        fs::create_directories((path / file).parent_path());
        write_file(path / file, text);
    }
};

constexpr const char* kStage = R"({
  "$schema": "https://json-schema.org/draft/2020-12/schema",
  "title": "my.stage",
  "description": "Does little.",
  "type": "object",
  "properties": {
    "model": {"x-port": "checkpoint", "description": "the model"},
    "steps": {"type": "integer", "minimum": 1, "default": 5, "description": "how many"}
  },
  "required": ["model"],
  "additionalProperties": false,
  "x-outputs": {"model": "checkpoint"},
  "x-version": 3,
  "x-resources": "io"
})";

}  // namespace

TEST_CASE("every installed stage type can be read and keeps to the profile") {
    Sources sources;
    Catalog catalog(sources, {installed()});
    std::vector<std::string> names = catalog.names();
    CHECK(names.size() >= 13);
    for (const std::string& name : names) {
        Diagnostics diagnostics;
        const StageType* type = catalog.find(name, diagnostics);
        INFO(name, render(diagnostics, sources, {}));
        REQUIRE(type);
        catalog.hold_to_profile(type->document, name, diagnostics);
        INFO(render(diagnostics, sources, {}));
        CHECK(diagnostics.ok());
        CHECK(type->version >= 1);
        CHECK(!type->description.empty());
        for (const PortDeclaration& port : type->ports)
            CHECK(catalog.port_type(port.type));
        for (const OutputDeclaration& output : type->outputs)
            CHECK(catalog.port_type(output.type));
    }
}

TEST_CASE("the defaults of every installed stage fit its schema") {
    Sources sources;
    Catalog catalog(sources, {installed()});
    for (const std::string& name : catalog.names()) {
        Diagnostics diagnostics;
        const StageType* type = catalog.find(name, diagnostics);
        REQUIRE(type);
        NodePtr filled = with_defaults(type->settings, make_map());
        ValidateOptions options = in_recipe();
        options.written_only = true;
        for (const Mistake& mistake : validate(type->settings, filled, options)) {
            INFO(name, ": ", mistake.message);
            bool only_absent = mistake.code == code::kMissingKey || mistake.code == code::kNoBranch;
            CHECK(only_absent);
        }
        CHECK(typed(type->settings, filled));
    }
}

TEST_CASE("a stage type knows its ports, outputs and what fills a port") {
    Sources sources;
    Diagnostics diagnostics;
    Catalog catalog(sources, {installed()});
    const StageType* type = catalog.find("prune.minitron", diagnostics);
    REQUIRE(type);
    CHECK(type->plugin == "prune");
    CHECK(type->resources == "compute");
    REQUIRE(type->port("scores"));
    CHECK(type->port("scores")->fill->get("use")->text == "prune.importance");
    CHECK(!type->port("scores")->required);
    CHECK(type->port("model")->required);
    CHECK(!type->port("shape"));
    CHECK(type->outputs.at(0).type == "checkpoint");
    CHECK(catalog.port_type("tokenizer")->accepts == std::vector<std::string>{"checkpoint"});
    CHECK(!catalog.port_type("model"));
    CHECK(!catalog.find("prune.nothing", diagnostics));
    CHECK(diagnostics.empty());
}

TEST_CASE("the frame tells the engine's keys and their defaults") {
    Sources sources;
    Catalog catalog(sources, {installed()});
    CHECK(catalog.is_engine_key("ranks"));
    CHECK(!catalog.is_engine_key("steps"));
    CHECK(catalog.is_root_key("stages"));
    CHECK(catalog.is_root_key("x-note"));
    CHECK(!catalog.is_root_key("launch"));
    NodePtr engine = catalog.engine_defaults();
    CHECK(engine->get("ranks")->text == "1");
    CHECK(engine->get("ranks")->origin == Origin::schema_default);
    CHECK(engine->get("device")->text == "auto");
    CHECK(!engine->get("use"));
}

TEST_CASE("one stage type from two folders is a mistake that names both") {
    Folder one, two;
    one.add("stages/my.stage.schema.json", kStage);
    two.add("stages/my.stage.schema.json", kStage);
    Sources sources;
    Diagnostics diagnostics;
    Catalog catalog(sources, {one.path, two.path, installed()});
    CHECK(!catalog.find("my.stage", diagnostics));
    REQUIRE(diagnostics.errors() == 1);
    const Diagnostic& mistake = diagnostics.all().front();
    CHECK(mistake.code == code::kStageTwice);
    CHECK(mistake.message.find(one.path.string()) != std::string::npos);
    CHECK(mistake.message.find(two.path.string()) != std::string::npos);
    CHECK(!catalog.find("my.stage", diagnostics));
    CHECK(diagnostics.errors() == 1);  // told once
}

TEST_CASE("a stage type from elsewhere is held to the profile") {
    Folder folder;
    std::string good = kStage;
    folder.add("stages/my.stage.schema.json", good);
    std::string odd = good;
    odd.replace(odd.find("\"minimum\""), 9, "\"minimal\"");
    folder.add("stages/my.odd.schema.json", odd);
    std::string undeclared = good;
    undeclared.replace(undeclared.find("[\"model\"]"), 9, "[\"modle\"]");
    folder.add("stages/my.undeclared.schema.json", undeclared);
    std::string low = good;
    low.replace(low.find("\"default\": 5"), 12, "\"default\": 0");
    folder.add("stages/my.low.schema.json", low);

    Sources sources;
    Catalog catalog(sources, {folder.path, installed()});
    Diagnostics none;
    const StageType* type = catalog.find("my.stage", none);
    INFO(render(none, sources, {}));
    REQUIRE(type);
    CHECK(type->version == 3);
    auto told = [&](const std::string& name) {
        Diagnostics diagnostics;
        CHECK(!catalog.find(name, diagnostics));
        return render(diagnostics, sources, {});
    };
    CHECK(told("my.odd").find("'minimal' is no name for a key here") != std::string::npos);
    CHECK(told("my.undeclared").find("'modle' is not declared in 'properties'") !=
          std::string::npos);
    CHECK(told("my.undeclared").find("did you mean 'model'?") != std::string::npos);
    CHECK(told("my.low").find("the title is 'my.stage', but the file is named for 'my.low'") !=
          std::string::npos);
    CHECK(told("my.low").find("the default does not fit its own schema") != std::string::npos);
}

TEST_CASE("listing reads no file") {
    Folder folder;
    folder.add("stages/my.broken.schema.json", "{");
    Sources sources;
    Diagnostics diagnostics;
    Catalog catalog(sources, {folder.path});
    CHECK(catalog.names() == std::vector<std::string>{"my.broken"});
    CHECK(!catalog.find("my.broken", diagnostics));
    CHECK(!diagnostics.ok());
}

TEST_CASE("a schema block's entry is held to the profile of settings") {
    Reading reading;
    Catalog catalog(reading.sources, {installed()});
    NodePtr good = reading.yaml("{type: integer, format: count, minimum: 1e8, description: d}");
    Schema schema = catalog.compile_fragment(good, "schema.target", reading.diagnostics);
    REQUIRE(schema);
    CHECK(fits(schema, reading.yaml("6B"), in_recipe()));
    CHECK(!fits(schema, reading.yaml("6M"), in_recipe()));
    NodePtr odd = reading.yaml("{type: integer, minimun: 1, description: d}");
    CHECK(!catalog.compile_fragment(odd, "schema.target", reading.diagnostics));
    REQUIRE(reading.diagnostics.errors() == 1);
    CHECK(reading.diagnostics.all().front().key == "schema.target.minimun");
}
