#include "engine/plan/key.h"

#include "tests/engine/plan/kitchen.h"

#include <doctest/doctest.h>

using namespace stillroom;

namespace {

/// The record of the stage `a` of a recipe of that one stage.
std::string record_of(Kitchen& kitchen, std::string_view stage, const KeyParts& parts = {}) {
    kitchen.write_recipe("stages:\n  a: {use: test.make, " + std::string(stage) + "}\n");
    return key_record(kitchen.prepare()->stage("a"), parts);
}

bool has(const std::string& text, std::string_view part) {
    return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("a record names what decides the result, in the canonical spelling") {
    Kitchen kitchen;
    KeyParts parts;
    parts.inputs["from"] = {"d1"};
    parts.outside["file"] = "d2";
    parts.reads["b.txt"] = "d3";
    CHECK(
        record_of(kitchen, "steps: 6e9, rate: 1.50, file: x/y", parts) ==
        R"({"device":"auto","env":{},"format":1,"inputs":{"from":["d1"]},)"
        R"("outside":{"file":"d2"},"reads":{"b.txt":"d3"},)"
        R"("settings":{"rate":1.5,"same":false,"steps":6000000000},"use":"test.make","version":1})");
}

TEST_CASE("a key is the SHA-256 of its record") {
    CHECK(key_of("abc") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("ranks, retries, notes and device numbers are not in a record") {
    Kitchen kitchen;
    std::string plain = record_of(kitchen, "steps: 10");
    CHECK(record_of(kitchen, "ranks: 4") == plain);
    CHECK(record_of(kitchen, "retry: 3, note: other") == plain);
    CHECK(record_of(kitchen, "to: out/here") == plain);
    std::string on_gpu = record_of(kitchen, "device: cuda");
    CHECK(on_gpu != plain);
    CHECK(record_of(kitchen, "device: \"cuda:3\"") == on_gpu);
}

TEST_CASE("a secret's value is in no record, its variable's name is") {
    Kitchen kitchen;
    std::string plain = record_of(kitchen, "steps: 10");
    CHECK(record_of(kitchen, "token: \"${secret:TEST_TOKEN}\"") == plain);
    std::string record = record_of(kitchen, "env: {KEY: \"${secret:TEST_TOKEN}\", LEVEL: 2}");
    CHECK(has(record, R"("env":{"KEY":null,"LEVEL":"2"})"));
    CHECK_FALSE(has(record, "canary"));
}

TEST_CASE("a path whose content is known gives way to it wherever it stands") {
    Kitchen kitchen;
    KeyParts parts;
    parts.outside = {{"nested.files.1", "d"}, {"nested.free.a\\.b", "e"}};
    std::string record =
        record_of(kitchen, "nested: {files: [\"hf:o/n\", x/y], free: {a.b: x/z}}", parts);
    CHECK(has(record, R"("nested":{"files":["hf:o/n",null],"free":{}})"));
}

TEST_CASE("the paths of a stage are found by its schema, deep ones too") {
    Kitchen kitchen;
    kitchen.write_recipe(
        "stages:\n"
        "  a: {use: test.make, file: [x/y, \"file:/z\"], to: out, "
        "nested: {files: [\"hf:o/n\"], free: {k: /q}}}\n");
    auto dish = kitchen.prepare();
    std::vector<OutsidePath> paths = outside_paths(dish->stage("a"));
    REQUIRE(paths.size() == 4);
    CHECK(paths[0].setting == "file.0");
    CHECK(paths[0].text == (kitchen.folder().path() / "x/y").string());
    CHECK(paths[1].text == "/z");
    CHECK(paths[2].setting == "nested.files.0");
    CHECK_FALSE(paths[2].local);
    CHECK(paths[3].setting == "nested.free.k");
    CHECK(dish->sources.position(paths[3].where.begin).line == 2);
    std::vector<OutsidePath> written = written_paths(dish->stage("a"));
    REQUIRE(written.size() == 1);
    CHECK(written[0].text == (std::filesystem::current_path() / "out").string());
}

TEST_CASE("files that a stage reads are known by their names, not their folders") {
    KeyParts parts;
    add_reads(parts, {{"/a/x.csv", 1, "d1", {}}, {"/b/x.csv", 1, "d2", {}}});
    CHECK(parts.reads == std::map<std::string, std::string>{{"x.csv", "d1"}, {"x.csv#2", "d2"}});
    add_reads(parts, {{"/c/y", 1, "d3", {}}});
    CHECK(parts.reads == std::map<std::string, std::string>{{"y", "d3"}});
}

TEST_CASE("records are compared field by field, the version first") {
    std::vector<FieldChange> changes =
        compare_records(R"({"settings":{"a":1,"b":{"c":"x"},"l":[1]},"version":1})",
                        R"({"settings":{"a":1,"b":{"c":"y"},"l":[2],"n":0},"version":2})");
    REQUIRE(changes.size() == 4);
    CHECK(changes[0].field == "version");
    CHECK(changes[1].field == "settings.b.c");
    CHECK(changes[1].before == "\"x\"");
    CHECK(changes[1].after == "\"y\"");
    CHECK(changes[2].field == "settings.l");
    CHECK(changes[3].field == "settings.n");
    CHECK(changes[3].before.empty());
}

TEST_CASE("a record that is none equals nothing") {
    CHECK(compare_records("{\"a\":", R"({"a":1})").size() == 1);
    CHECK(compare_records("[1,[2]]", "{}").size() == 1);
}

TEST_CASE("a field's place is the line that says it") {
    Kitchen kitchen;
    kitchen.write_recipe(
        "params:\n"
        "  n: 5\n"
        "stages:\n"
        "  a:\n"
        "    use: test.make\n"
        "    steps: ${params.n}\n"
        "    nested:\n"
        "      files: [/z]\n"
        "    env: {K: v}\n"
        "  b:\n"
        "    use: test.make\n"
        "    from: a\n");
    auto dish = kitchen.prepare();
    auto line = [&](std::string_view stage, std::string_view field) {
        return dish->sources.position(field_place(dish->stage(stage), field).begin).line;
    };
    CHECK(line("a", "settings.steps") == 2);
    CHECK(line("a", "outside.nested.files.0") == 8);
    CHECK(line("a", "env.K") == 9);
    CHECK(line("a", "settings.rate") == 4);  // nobody wrote it: the stage
    CHECK(line("b", "inputs.from") == 12);
    CHECK(dish->sources.position(field_place(dish->stage("a"), "version").begin)
              .file.ends_with("test.make.schema.json"));
}
