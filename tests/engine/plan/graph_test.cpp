#include "engine/plan/graph.h"

#include <doctest/doctest.h>

using namespace stillroom;

namespace {

CheckedStage stage(const char* name,
                   const char* use,
                   std::vector<Input> inputs = {},
                   std::vector<std::string> after = {}) {
    CheckedStage made;
    made.name = name;
    made.use = use;
    made.inputs = std::move(inputs);
    made.after = std::move(after);
    return made;
}

Input input(const char* port, const char* type, const char* from, const char* output) {
    return {port, type, {{from, output, {}}}};
}

Checked small() {
    Checked checked;
    checked.stages.push_back(
        stage("student", "prune.minitron", {input("model", "checkpoint", "teacher", "model")}));
    checked.stages.push_back(stage("note", "data.mock", {}, {"student"}));
    checked.stages.push_back(stage("teacher", "checkpoint.load"));
    checked.stages.push_back(stage("other", "checkpoint.load"));
    checked.outputs["model"] = {"student", "model", {}};
    return checked;
}

}  // namespace

TEST_CASE("stages come after what they need, of those that can go the one written first") {
    Graph graph = build_graph(small());
    std::vector<std::string> names;
    for (const CheckedStage& each : graph.stages)
        names.push_back(each.name);
    CHECK(names == std::vector<std::string>{"teacher", "student", "note", "other"});
    REQUIRE(graph.edges.size() == 2);
    CHECK(graph.edges[0].from == 0);
    CHECK(graph.edges[0].to == 1);
    CHECK(graph.edges[1].port.empty());
}

TEST_CASE("a drawing names stages, types, ports and outputs") {
    Graph graph = build_graph(small());
    CHECK(draw(graph, GraphFormat::text) ==
          "teacher  checkpoint.load\n"
          "student  prune.minitron   model <- teacher.model\n"
          "note     data.mock        after student\n"
          "other    checkpoint.load\n"
          "output model <- student.model\n");
    CHECK(draw(graph, GraphFormat::dot).find("\"teacher\" -> \"student\" [label=\"model\"];") !=
          std::string::npos);
    CHECK(draw(graph, GraphFormat::mermaid).find("s0 -->|\"model\"| s1") != std::string::npos);
}

TEST_CASE("names cannot break out of a drawing") {
    Checked checked;
    checked.stages.push_back(stage("a\"];evil", "x.y"));
    Graph graph = build_graph(checked);
    CHECK(draw(graph, GraphFormat::dot).find("\"a\\\"];evil\"") != std::string::npos);
    CHECK(draw(graph, GraphFormat::mermaid).find("#quot;") != std::string::npos);
}
