#include "engine/recipe/compose.h"

#include "engine/base/files.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/document/document.h"
#include "engine/recipe/override.h"
#include "engine/recipe/resolve.h"
#include "tests/engine/recipe/case_lines.h"
#include "tests/engine/temporary_folder.h"

#include <doctest/doctest.h>

#include <fstream>

using namespace stillroom;
namespace fs = std::filesystem;

namespace {

const fs::path kFixture = "tests/cases/language/composition";

struct Outcome {
    Sources sources;
    Diagnostics diagnostics;
    std::optional<Recipe> recipe;

    std::string messages() const { return render(diagnostics, sources, {}); }
    std::string json(const std::string& path) const {
        NodePtr value = path.empty() ? recipe->root : look_up(recipe->root, split(path, '.'));
        if (!value)
            return "gone";
        JsonWriter out;
        write_json(out, *value);
        return out.take();
    }
};

Outcome run(const fs::path& recipe, const std::vector<std::string>& arguments) {
    Outcome outcome;
    Request request;
    request.recipe = recipe;
    for (const std::string& argument : arguments)
        request.arguments.push_back({3 + static_cast<int>(request.arguments.size()), argument});
    outcome.recipe = compose(outcome.sources, request, outcome.diagnostics);
    return outcome;
}

/// Blank-separated words; '...' keeps blanks.
std::vector<std::string> words(std::string_view text) {
    std::vector<std::string> out;
    std::string word;
    bool quoted = false;
    for (char c : text) {
        if (c == '\'')
            quoted = !quoted;
        else if (c == ' ' && !quoted) {
            if (!word.empty())
                out.push_back(word);
            word.clear();
        } else {
            word.push_back(c);
        }
    }
    if (!word.empty())
        out.push_back(word);
    return out;
}

std::vector<std::string> split_text(std::string_view text, std::string_view separator) {
    std::vector<std::string> parts;
    for (;;) {
        std::size_t end = text.find(separator);
        parts.emplace_back(trim(text.substr(0, end)));
        if (end == std::string_view::npos)
            return parts;
        text.remove_prefix(end + separator.size());
    }
}

void check_case(const std::string& line) {
    std::vector<std::string> fields = split_text(line, "|");
    REQUIRE(fields.size() >= 3);
    CAPTURE(line);
    fs::path recipe = kFixture / "config.yaml";
    TemporaryFolder folder;
    if (fields.size() > 3) {
        fs::copy(kFixture, folder.path(), fs::copy_options::recursive);
        std::string text = read_file(recipe, 1 << 20);
        folder.write("config.yaml", "defaults: " + fields[3] + text.substr(text.find('\n')));
        recipe = folder.path() / "config.yaml";
    }
    Outcome outcome = run(recipe, words(fields[1]));
    std::string messages = outcome.messages();
    CAPTURE(messages);
    if (fields[2].starts_with("ERR")) {
        CHECK_FALSE(outcome.diagnostics.ok());
        for (const std::string& part : split_text(fields[2].substr(3), "&&"))
            CHECK(messages.find(part) != std::string::npos);
        return;
    }
    REQUIRE(outcome.diagnostics.ok());
    for (const std::string& part : split_text(fields[2], "&&")) {
        std::vector<std::string> sides = split_text(part, "=>");
        if (sides.size() == 2)
            CHECK(outcome.json(sides[0]) == sides[1]);
        else
            CHECK(outcome.json(part.substr(0, part.find(' '))) == "gone");
    }
}

}  // namespace

TEST_CASE("every composition case of the data file has its outcome") {
    std::ifstream file(kFixture / "C.txt");
    std::string line;
    std::set<std::string> ids;
    while (std::getline(file, line)) {
        if (line.empty() || line[0] == '#')
            continue;
        check_case(line);
        CHECK_MESSAGE(ids.insert(split_text(line, "|").front()).second, line);
    }
    CHECK(ids.size() >= 90);
    for (const std::string& id : test::deviations())
        if (id[0] == 'C')
            CHECK_MESSAGE(ids.count(id) == 1, id);
}

TEST_CASE("a file wins over its groups unless _self_ comes first") {
    TemporaryFolder folder;
    folder.write("db/mysql.yaml", "port: 1\n");
    for (auto [defaults, port] : {std::pair{"[db: mysql]", "2"},
                                  {"[{db: mysql}, _self_]", "2"},
                                  {"[_self_, {db: mysql}]", "1"}}) {
        folder.write("r.yaml", std::string("defaults: ") + defaults + "\ndb: {port: 2}\n");
        CHECK(run(folder.path() / "r.yaml", {}).json("db.port") == port);
    }
}

TEST_CASE("a cycle of files names every hop with its place") {
    TemporaryFolder folder;
    folder.write("base.yaml", "defaults: [ext]\n");
    folder.write("ext.yaml", "defaults:\n  - base\n");
    Outcome outcome = run(folder.path() / "base.yaml", {});
    std::string messages = outcome.messages();
    CHECK(messages.find("brings itself in") != std::string::npos);
    CHECK(messages.find("base.yaml:1:12") != std::string::npos);
    CHECK(messages.find("ext.yaml:2:5") != std::string::npos);
}

TEST_CASE("a list over a map is an error with both places") {
    TemporaryFolder folder;
    folder.write("g/o.yaml", "k: [1]\n");
    folder.write("r.yaml", "defaults: [_self_, {g: o}]\ng: {k: {x: 1}}\n");
    std::string messages = run(folder.path() / "r.yaml", {}).messages();
    CHECK(messages.find("o.yaml:1:4: error: 'g.k' is a map, a list cannot take its place") !=
          std::string::npos);
    CHECK(messages.find("r.yaml:2:8: a map stands here") != std::string::npos);
}

TEST_CASE("an override through a reference writes into its target") {
    TemporaryFolder folder;
    folder.write("r.yaml", "a: {b: 1}\nr: \"${a}\"\n");
    Outcome outcome = run(folder.path() / "r.yaml", {"r.b=2"});
    CHECK(outcome.json("a.b") == "2");
    CHECK(outcome.json("r") == "\"${a}\"");
}

TEST_CASE("an override remembers the value it replaced and both places") {
    TemporaryFolder folder;
    folder.write("base.yaml", "k: 1\n");
    folder.write("r.yaml", "defaults: [base, _self_]\nk: 2\n");
    Outcome outcome = run(folder.path() / "r.yaml", {"k=3"});
    NodePtr value = outcome.recipe->root->get("k");
    CHECK(value->text == "3");
    CHECK(outcome.sources.position(value->where.begin).text() == "argv:3:3");
    REQUIRE(value->replaced);
    CHECK(value->replaced->text == "2");
    REQUIRE(value->replaced->replaced);
    CHECK(value->replaced->replaced->text == "1");
    CHECK_FALSE(value->replaced->replaced->replaced);
}

TEST_CASE("an input keeps its type when the command line gives its source") {
    TemporaryFolder folder;
    folder.write("r.yaml", "inputs: {teacher: checkpoint}\n");
    Outcome outcome = run(folder.path() / "r.yaml", {"inputs.teacher=hf:a/b"});
    CHECK(outcome.json("inputs.teacher") == R"({"type":"checkpoint","default":"hf:a/b"})");
}

TEST_CASE("files of a recipe stay in its folder and on the search path") {
    TemporaryFolder folder;
    folder.write("in/r.yaml", "defaults: [../secret]\n");
    folder.write("secret.yaml", "x: 1\n");
    Outcome up = run(folder.path() / "in/r.yaml", {});
    CHECK(up.diagnostics.exit_code() == 10);
    fs::create_symlink(folder.path() / "secret.yaml", folder.path() / "in/link.yaml");
    folder.write("in/r.yaml", "defaults: [link]\n");
    CHECK(run(folder.path() / "in/r.yaml", {}).diagnostics.exit_code() == 10);
    folder.write("in/r.yaml", "defaults: [/etc/passwd]\n");
    CHECK(run(folder.path() / "in/r.yaml", {}).diagnostics.exit_code() == 10);
    folder.write("in/r.yaml", "defaults: [\"https://example.org/a.yaml\"]\n");
    CHECK(run(folder.path() / "in/r.yaml", {}).diagnostics.exit_code() == 10);
}

TEST_CASE("budgets of files hold") {
    TemporaryFolder folder;
    std::string list;
    for (int i = 0; i < 300; ++i) {
        folder.write("f" + std::to_string(i) + ".yaml", "k" + std::to_string(i) + ": 1\n");
        list += "  - f" + std::to_string(i) + "\n";
    }
    folder.write("r.yaml", "defaults:\n" + list);
    CHECK(run(folder.path() / "r.yaml", {}).messages().find("more than 256 files") !=
          std::string::npos);
}
