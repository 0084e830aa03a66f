#include "engine/recipe/resolve.h"

#include "engine/base/codes.h"
#include "engine/base/json.h"
#include "engine/recipe/interpolation.h"
#include "engine/recipe/override.h"
#include "tests/engine/recipe/case_lines.h"
#include "tests/engine/recipe/language_fixture.h"
#include "tests/engine/recipe/outcome.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <ctime>

using namespace stillroom;
using stillroom::test::CaseLine;
using Path = std::vector<std::string>;

namespace {

/// A tree written as the value of the override x=..., so that its places are columns of argv 1.
struct Tree {
    explicit Tree(const std::string& text) : options(test::case_options()) {
        auto override = parse_override(sources.add_argument(1, "x=" + text), diagnostics);
        REQUIRE_MESSAGE(override, text);
        root = override->value;
    }

    NodePtr resolved() { return resolve(root, options, diagnostics); }
    const Diagnostic& mistake() {
        REQUIRE(diagnostics.errors() == 1);
        return diagnostics.all().front();
    }

    Sources sources;
    Diagnostics diagnostics;
    ResolveOptions options;
    NodePtr root;
};

std::string read(const std::string& text, const std::string& path) {
    Tree tree(text);
    NodePtr value = resolve_at(tree.root, *split_path(path), tree.options, tree.diagnostics);
    if (!value)
        return tree.diagnostics.ok() ? "no key, and nothing reported"
                                     : "ERR(" + tree.mistake().message + ")";
    return test::outcome(*value) + (tree.diagnostics.empty() ? "" : ", warning");
}

std::string repeat(const std::string& text, int times) {
    std::string out;
    for (int i = 0; i < times; ++i)
        out += (i ? "," : "") + text;
    return out;
}

}  // namespace

TEST_CASE("every line of interpolation has its outcome") {
    std::set<std::string> ids;
    for (const CaseLine& line : test::read_case_lines("interpolation.txt", 4)) {
        CAPTURE(line.fields[0]);
        CAPTURE(line.fields[1]);
        std::string outcome = read(line.fields[1], line.fields[2]);
        CAPTURE(outcome);
        CHECK_MESSAGE(test::matches(line.fields[3], outcome), line.fields[3]);
        CHECK(ids.insert(line.fields[0]).second);
    }
    for (const std::string& id : test::deviations())
        if (id[0] == 'I' || id[0] == 'J' || id[0] == 'K')
            CHECK_MESSAGE(ids.count(id) == 1, id);
}

TEST_CASE("a resolved value remembers how it was written and where its text begins") {
    Tree tree("{a: {p: \"/x\"}, b: ${a.p}, c: ${a.p}/y, d: z/${a.p}}");
    NodePtr root = tree.resolved();
    REQUIRE(tree.diagnostics.ok());
    NodePtr b = root->get("b");
    CHECK(b->text == "/x");
    CHECK(b->style == Style::double_quoted);
    CHECK(b->written->text == "${a.p}");
    CHECK(tree.sources.slice(b->where) == "${a.p}");
    CHECK(b->begins == tree.root->get("a")->get("p")->where.begin);
    NodePtr c = root->get("c");
    CHECK(c->text == "/x/y");
    CHECK(c->begins == b->begins);
    CHECK(root->get("d")->begins == tree.root->get("d")->where.begin);
    CHECK(root->get("a") == tree.root->get("a"));
}

TEST_CASE("every mistake is collected, and what depends on one is silent") {
    Tree tree("{a: ${nope}, b: ${a}, c: ${b}x, d: ${m}, m: ???, e: 1}");
    NodePtr root = tree.resolved();
    CHECK(tree.diagnostics.errors() == 2);
    CHECK(root->get("a")->text == "${nope}");
    CHECK(root->get("c")->text == "${b}x");
    CHECK(root->get("e") == tree.root->get("e"));
}

TEST_CASE("a mistake points at the interpolation inside the text") {
    Tree tree("{a: {size: 1}, b: \"x ${a.siz} y\"}");
    tree.resolved();
    CHECK(tree.sources.slice(tree.mistake().where) == "${a.siz}");
    CHECK(tree.mistake().hint == "did you mean 'a.size'?");
    CHECK(tree.mistake().key == "b");
}

TEST_CASE("a key that stands elsewhere is offered by its path") {
    Tree tree("{params: {target: 1}, b: ${target}}");
    tree.resolved();
    CHECK(tree.mistake().hint == "did you mean 'params.target'?");
}

TEST_CASE("a name of the environment is told how it is read") {
    Tree home("{b: ${HOME}}");
    home.resolved();
    CHECK(home.mistake().hint == "an environment variable is read by ${oc.env:HOME}");
    Tree key("{b: ${AWS_SECRET_ACCESS_KEY}}");
    key.resolved();
    CHECK(key.mistake().hint == "a secret is given by ${secret:AWS_SECRET_ACCESS_KEY}");
    CHECK(key.diagnostics.exit_code() == kExitUsage);
}

TEST_CASE("a cycle is one mistake that shows every hop") {
    Tree tree("{a: ${b}, b: ${c}, c: x${a}, d: ${a}}");
    tree.resolved();
    const Diagnostic& mistake = tree.mistake();
    CHECK(mistake.code == code::kReferenceCycle);
    CHECK(mistake.message == "'a' needs itself: a -> b -> c -> a");
    REQUIRE(mistake.notes.size() == 2);
    CHECK(tree.sources.slice(mistake.notes[0].where) == "${c}");
    CHECK(tree.sources.slice(mistake.notes[1].where) == "x${a}");
}

TEST_CASE("only variables on the allow-list are read, and secrets never") {
    for (const char* name : {"HOME", "USER", "TMPDIR", "HOSTNAME", "SLURM_JOB_ID", "STILLROOM_X"})
        CHECK_MESSAGE(may_read_variable(name, {}), name);
    CHECK_FALSE(may_read_variable("PATH", {}));
    CHECK(may_read_variable("PATH", {"PATH"}));
    CHECK(may_read_variable("MY_A", {"MY_*"}));
    for (const char* name : {"HF_TOKEN", "MY_SECRET", "API_KEY", "PASSWORD1", "hf_token"})
        CHECK_FALSE_MESSAGE(may_read_variable(name, {"*"}), name);
    Tree tree("{a: '${oc.env:PATH}', b: '${oc.env:HF_TOKEN,x}'}");
    tree.options.allowed_names.clear();
    tree.resolved();
    CHECK(tree.diagnostics.errors() == 2);
    CHECK(tree.diagnostics.exit_code() == kExitPolicy);
    CHECK(tree.diagnostics.all()[0].hint == "--allow-env PATH lets it");
    CHECK(tree.diagnostics.all()[1].hint.find("${secret:HF_TOKEN}") != std::string::npos);
}

TEST_CASE("a secret is the name of its variable, and taints what is built from it") {
    Tree tree("{a: '${secret:E1}', b: 'Bearer ${a}', c: ${b}, d: {x: ${.y}, y: ${a}}}");
    NodePtr root = tree.resolved();
    REQUIRE(tree.diagnostics.ok());
    CHECK(root->get("a")->secret);
    CHECK(root->get("a")->text == "E1");
    CHECK(root->get("b")->secret);
    CHECK(root->get("b")->text == "Bearer ${secret:E1}");
    CHECK(root->get("c")->text == "Bearer ${secret:E1}");
    CHECK(root->get("d")->get("x")->secret);
    JsonWriter out;
    write_json(out, *root);
    CHECK(out.text().find("10") == std::string::npos);
}

TEST_CASE("a secret is neither decoded, calculated with, nor part of a key") {
    for (const char* text : {"{a: '${oc.decode:${secret:E1}}'}",
                             "{a: '${calc:${secret:E1} + 1}'}",
                             "{a: '${b.${secret:E1}}', b: {E1: 1}}",
                             "{a: '${oc.env:${secret:E1}}'}",
                             "{a: '${oc.env:NOPE,${secret:E1}}'}",
                             "{a: '${${secret:E1}:1}'}",
                             "{a: '${oc.create:${secret:E1}}'}"}) {
        CAPTURE(text);
        Tree tree(text);
        tree.resolved();
        CHECK(tree.mistake().message.find("secret") != std::string::npos);
    }
}

TEST_CASE("text that doubles at every step is stopped") {
    std::string text = "{a0: xxxxxxxxxxxxxxxx";
    for (int i = 1; i < 40; ++i)
        text += ",a" + std::to_string(i) + ": ${a" + std::to_string(i - 1) + "}${a" +
                std::to_string(i - 1) + "}";
    Tree tree(text + "}");
    tree.resolved();
    CHECK(tree.mistake().code == code::kInterpolationBudget);
    CHECK(tree.mistake().message == "interpolation would make more than 16 MiB of text");
}

TEST_CASE("a tree that doubles at every step is stopped") {
    std::string text = "{a0: [1,2,3,4]";
    for (int i = 1; i < 60; ++i)
        text += ",a" + std::to_string(i) + ": [${a" + std::to_string(i - 1) + "},${a" +
                std::to_string(i - 1) + "}]";
    Tree tree(text + "}");
    tree.resolved();
    CHECK(tree.mistake().code == code::kInterpolationBudget);
}

TEST_CASE("a long text copied many times is stopped") {
    Tree tree("{big: " + std::string(100'000, 'x') + ", l: [" + repeat("${big}", 1000) + "]}");
    tree.resolved();
    CHECK_FALSE(tree.diagnostics.ok());
    CHECK(tree.diagnostics.all().front().code == code::kInterpolationBudget);
}

TEST_CASE("a chain of references may be as long as the tree") {
    std::string text = "{a0: end";
    for (int i = 1; i < 9'000; ++i)
        text = "{a" + std::to_string(i) + ": ${a" + std::to_string(i - 1) + "}," + text.substr(1);
    Tree tree(text + "}");
    NodePtr root = tree.resolved();
    CHECK(tree.diagnostics.ok());
    CHECK(root->get("a8999")->text == "end");
}

TEST_CASE("chains through texts and containers are of bounded depth") {
    std::string texts = "{a0: end", maps = "{a0: {x: end}";
    for (int i = 1; i < 3'000; ++i) {
        std::string name = "a" + std::to_string(i), before = "a" + std::to_string(i - 1);
        texts = "{" + name + ": ${" + before + "}x," + texts.substr(1);
        maps = "{" + name + ": {x: ${" + before + "}}," + maps.substr(1);
    }
    for (const std::string& text : {texts, maps}) {
        Tree tree(text + "}");
        tree.resolved();
        CHECK_FALSE(tree.diagnostics.ok());
        CHECK(tree.diagnostics.all().front().code == code::kInterpolationBudget);
    }
}

TEST_CASE("ten times the interpolations take about ten times as long") {
    auto text = [](int count) {
        std::string out = "{p: {v: 7, w: {z: text}}";
        for (int i = 0; i < count; ++i)
            out += ",k" + std::to_string(i) + ": " + (i % 2 ? "a${p.v}b" : "${p.w.z}");
        return out + "}";
    };
    // By the processor's own clock, the least of some tries: other work shares the machine.
    auto seconds = [&](int count) {
        double least = 1e9;
        for (int i = 0; i < 3; ++i) {
            Tree tree(text(count));
            std::clock_t begin = std::clock();
            tree.resolved();
            double took = static_cast<double>(std::clock() - begin) / CLOCKS_PER_SEC;
            CHECK(tree.diagnostics.ok());
            least = std::min(least, took);
        }
        return least;
    };
    double few = seconds(900), many = seconds(9'000);
    CHECK_MESSAGE(many < 50 * few, few, " s, then ", many, " s");  // squared: a hundred times
}

TEST_CASE("a path is looked up by keys and by places from either end") {
    Tree tree("{a: [5,{b: 6}], r: ${a}, s: ${r}, t: {u: ${..a}}}");
    CHECK(look_up(tree.root, {"a", "1", "b"})->text == "6");
    CHECK(look_up(tree.root, {"a", "-2"})->text == "5");
    CHECK(look_up(tree.root, {"a", "2"}) == nullptr);
    CHECK(look_up(tree.root, {"r", "0"}) == nullptr);
    CHECK(follow_path(tree.root, {"r", "0"}) == Path{"a", "0"});
    CHECK(follow_path(tree.root, {"s", "1", "b"}) == Path{"a", "1", "b"});
    CHECK(follow_path(tree.root, {"t", "u", "0"}) == Path{"a", "0"});
    CHECK(follow_path(tree.root, {"r"}) == Path{"r"});
    CHECK(follow_path(tree.root, {"a", "new"}) == Path{"a", "new"});
    CHECK(dereference(tree.root, tree.root->get("s"), {"s"}) == tree.root->get("a"));
    CHECK(reference_target(*tree.root->get("r"), {"r"}) == Path{"a"});
}

TEST_CASE("references that cannot be followed lead nowhere") {
    Tree tree("{a: ${b}, b: ${a}, c: '${f:1}', d: '${x.${y}}', e: '${....z}'}");
    CHECK(follow_path(tree.root, {"a", "x"}) == std::nullopt);
    CHECK(follow_path(tree.root, {"c", "x"}) == std::nullopt);
    CHECK(follow_path(tree.root, {"d", "x"}) == std::nullopt);
    CHECK(follow_path(tree.root, {"e", "x"}) == std::nullopt);
    CHECK(dereference(tree.root, tree.root->get("a"), {"a"}) == nullptr);
}
