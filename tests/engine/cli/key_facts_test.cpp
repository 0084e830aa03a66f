#include "engine/cli/key_facts.h"

#include "engine/cli/key_help.h"
#include "engine/document/document.h"

#include <doctest/doctest.h>

#include <algorithm>

using namespace stillroom;
using namespace stillroom::cli;

namespace {

struct Recipe {
    Sources sources;
    Catalog catalog{sources, schema_folders()};
    NodePtr root;

    Recipe() {
        Diagnostics diagnostics;
        std::string text =
            "params: {target: 1e9, free: x}\n"
            "schema: {target: {type: integer, format: count, minimum: 1, description: how many}}\n"
            "stages:\n"
            "  student: {use: prune.minitron, model: teacher}\n"
            "  first: {use: ./other.yaml, stages: {inner: {use: train.distill}}}\n"
            "x-note: {a: [1, 2]}\n";
        root = read_yaml(sources.add("r.yaml", text), {}, diagnostics).root;
        REQUIRE(diagnostics.ok());
    }

    std::string type(const std::vector<std::string>& path) const {
        std::optional<KeyHelp> help = help_at(path, root, catalog);
        return help ? help->type : "unknown";
    }
    bool knows(const std::vector<std::string>& path, const std::string& name) const {
        std::vector<std::string> names = names_below(path, root, catalog);
        return std::find(names.begin(), names.end(), name) != names.end();
    }
};

}  // namespace

TEST_CASE("a key is told by the schema it falls under") {
    Recipe recipe;
    CHECK(recipe.type({"stages", "student", "top_k"}).starts_with("integer"));
    CHECK(recipe.type({"stages", "student", "model"}) == "checkpoint");
    CHECK(recipe.type({"stages", "student", "ranks"}).starts_with("integer"));
    CHECK(recipe.type({"stages", "first", "stages", "inner", "teacher"}) == "checkpoint");
    CHECK(recipe.type({"params", "target"}).starts_with("integer"));
    CHECK(recipe.type({"stages", "student", "nonsense"}) == "unknown");
}

TEST_CASE("below a key stand what is there and what a schema knows") {
    Recipe recipe;
    CHECK(recipe.knows({}, "outputs"));
    CHECK(recipe.knows({"params"}, "free"));
    CHECK(recipe.knows({"stages", "student"}, "calibration"));
    CHECK(recipe.knows({"stages", "student"}, "device"));
    CHECK(recipe.knows({"stages", "student", "score"}, "rows"));
    CHECK(recipe.knows({"x-note", "a"}, "1"));
    CHECK_FALSE(recipe.knows({"stages", "first"}, "calibration"));
}

TEST_CASE("the facts of a key nobody set name its neighbours") {
    Recipe recipe;
    KeyFacts facts = facts_of({"stages", "student", "topk"}, recipe.root, nullptr, recipe.catalog);
    CHECK_FALSE(facts.value);
    CHECK_FALSE(facts.help);
    CHECK(std::find(facts.neighbours.begin(), facts.neighbours.end(), "stages.student.top_k") !=
          facts.neighbours.end());
}

TEST_CASE("a stage that is not there has no help, however the frame reads its name") {
    Recipe recipe;
    KeyFacts facts = facts_of({"stages", "studnet"}, recipe.root, nullptr, recipe.catalog);
    CHECK_FALSE(facts.value);
    CHECK_FALSE(facts.help);
}

TEST_CASE("a summary says type, need, default, unit and help, in this order") {
    KeyHelp help;
    help.type = "integer";
    help.required = true;
    help.default_value = make_string("10");
    help.unit = "rows";
    help.description = "how many";
    CHECK(summary_of(help) == "integer, required, default \"10\" (rows): how many");
    help.default_value = make_map();
    help.required = false;
    help.unit = "";
    CHECK(summary_of(help) == "integer: how many");
}
