#include "engine/schema/editor.h"

#include "engine/base/files.h"
#include "tests/engine/schema/reading.h"

using namespace stillroom;
namespace fs = std::filesystem;

namespace {

fs::path root() {
    return environment("STILLROOM_TEST_ROOT");
}

/// The editors' schema, and whether it takes a file as an editor would read it.
struct EditorSchema {
    Reading reading;
    std::string text;
    Schema schema;

    EditorSchema() {
        Catalog catalog(reading.sources, {root() / "schemas"});
        text = editor_schema(catalog, reading.diagnostics);
        Limits limits;
        limits.nodes = 200'000;
        Document document =
            read_json(reading.sources.add("recipe.schema.json", text), limits, reading.diagnostics);
        REQUIRE(document.root);
        CHECK(mistakes_as_schema(document.root).empty());
        schema = compile(document.root, "", nullptr, reading.diagnostics);
        REQUIRE(schema);
    }

    bool takes(const std::string& recipe) { return fits(schema, reading.yaml(recipe)); }
};

}  // namespace

TEST_CASE("the committed schemas/recipe.schema.json is what the installed stages make") {
    EditorSchema editor;
    fs::path file = root() / "schemas/recipe.schema.json";
    if (!environment("STILLROOM_ACCEPT").empty())
        write_file(file, editor.text);
    bool same = read_file(file, 16 << 20) == editor.text;
    CHECK_MESSAGE(same, "write it with STILLROOM_ACCEPT=1, or by `stillroom schema recipe`");
}

TEST_CASE("every recipe of the library fits the editors' schema") {
    EditorSchema editor;
    int count = 0;
    for (const std::string& name : list_folder(root() / "recipes")) {
        if (!name.ends_with(".yaml"))
            continue;
        ++count;
        NodePtr recipe = editor.reading.yaml(read_file(root() / "recipes" / name, 1 << 20), name);
        for (const Mistake& mistake : validate(editor.schema, recipe)) {
            INFO(name, ": ", mistake.path, ": ", mistake.message);
            CHECK(false);
        }
    }
    CHECK(count > 5);
}

TEST_CASE("the editors' schema takes what a file may hold before it is composed") {
    EditorSchema editor;
    auto stage = [&](const std::string& keys) {
        return editor.takes("stages: {a: {" + keys + "}}");
    };
    std::string student = "use: prune.minitron, model: m, calibration: c, ";
    CHECK(stage(student + "target: {params: 6B}"));
    CHECK(stage(student + "target: {params: 6_000_000_000}"));
    CHECK(stage(student + "target: {params: '${params.target}'}"));
    CHECK(stage(student + "target: {params: 6e9}, ranks: '${params.ranks}', x-note: [1]"));
    CHECK(stage(student + "target: {params: ???}"));
    CHECK(stage("steps: 3"));  // begun in another file
    CHECK(stage("use: ./other.yaml, anything: 1"));
    CHECK(stage("use: prune-then-distill, target: 4e9"));
    CHECK(editor.takes("{defaults: [data: wikitext], data: {files: [a]}}"));
}

TEST_CASE("the editors' schema refuses misspelt keys, types and stages") {
    EditorSchema editor;
    auto stage = [&](const std::string& keys) {
        return editor.takes("stages: {a: {" + keys + "}}");
    };
    std::string student = "use: prune.minitron, model: m, calibration: c, ";
    CHECK(stage(student + "target: {params: 6B}"));
    CHECK(!stage(student + "target: {params: 6B}, targt: 1"));
    CHECK(!stage(student + "target: {parms: 6B}"));
    CHECK(!stage(student + "target: {params: six}"));
    CHECK(!stage(student + "target: {params: 6B}, refused: maybe"));
    CHECK(!stage(student + "target: {params: 6B}, merge_heads: no"));
    CHECK(!stage("use: prune.minitron, model: [m], calibration: c, target: {params: 6B}"));
    CHECK(!stage("use: prune.minitron, target: {params: 6B}"));
    CHECK(!stage("use: prune.minitorn, model: m"));
    CHECK(!stage(student + "target: {params: 6B}, shape: {num_layers: 3}"));
    CHECK(!editor.takes("{recipe: a, stage: {}}"));
}
