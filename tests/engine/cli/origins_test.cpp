#include "engine/cli/origins.h"

#include "engine/base/json.h"
#include "engine/document/document.h"

#include <doctest/doctest.h>

using namespace stillroom;
using namespace stillroom::cli;

namespace {

struct Chain {
    Sources sources;
    NodePtr root;

    Chain() {
        const Source& base = sources.add("base.yaml", "a: 1");
        const Source& argument = sources.add_argument(3, "a=2");
        auto before = make_string("1", base.span(3, 4));
        auto now = make_string("2", argument.span(2, 3));
        now->origin = Origin::argument;
        now->replaced = before;
        auto map = make_map();
        map->entries.push_back({"a", {}, now, false});
        auto outer = make_map();
        outer->entries.push_back({"m", {}, map, false});
        root = outer;
    }
};

}  // namespace

TEST_CASE("the places that set a value come oldest first") {
    Chain chain;
    std::vector<SetBy> origins = origins_of(*chain.root->get("m")->get("a"), chain.sources);
    REQUIRE(origins.size() == 2);
    CHECK(origins[0].place == "base.yaml:1:4");
    CHECK(origins[1].place == "argv:3:3");
}

TEST_CASE("a resolved value has the places of what was written") {
    Chain chain;
    auto resolved = make_string("7");
    resolved->written = chain.root->get("m")->get("a");
    CHECK(origins_of(*resolved, chain.sources).back().place == "argv:3:3");
}

TEST_CASE("leaves are visited by dotted path, empty maps and lists among them") {
    Sources sources;
    Diagnostics diagnostics;
    Document document =
        read_yaml(sources.add("r.yaml", "a: {b: 1, c: {}}\nd: [1, {e: 2}]\n"), {}, diagnostics);
    std::vector<std::string> paths;
    for_each_leaf(*document.root,
                  [&](const std::string& path, const Node&) { paths.push_back(path); });
    CHECK(paths == std::vector<std::string>{"a.b", "a.c", "d"});
}

TEST_CASE("YAML with origins has them as comments and reads back the same") {
    Sources sources;
    Diagnostics diagnostics;
    Document document = read_yaml(
        sources.add("r.yaml", "a:\n  b: 1\n  t: |\n    x\n    y\nl: [1, '2']\n"), {}, diagnostics);
    std::string text = yaml_with_origins(*document.root, sources);
    CHECK(text.find("b: 1  # r.yaml:2:6") != std::string::npos);
    Document again = read_yaml(sources.add("again.yaml", text), {}, diagnostics);
    REQUIRE(diagnostics.ok());
    CHECK(deep_equal(*again.root, *document.root));

    Chain chain;
    CHECK(yaml_with_origins(*chain.root, chain.sources).find("# argv:3:3, over") !=
          std::string::npos);
}

TEST_CASE("a path is split at dots and brackets") {
    using Path = std::vector<std::string>;
    CHECK(split_path("a.b") == Path{"a", "b"});
    CHECK(split_path("a[0].x") == Path{"a", "0", "x"});
    CHECK(split_path("") == Path{});
}
