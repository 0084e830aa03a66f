#include "engine/base/files.h"
#include "engine/base/json.h"
#include "engine/base/text.h"
#include "engine/document/document.h"
#include "engine/recipe/compose.h"
#include "engine/recipe/resolve.h"
#include "engine/schema/defaults.h"
#include "engine/schema/validate.h"

#include <doctest/doctest.h>

#include <fstream>

using namespace stillroom;
namespace fs = std::filesystem;

namespace {

const fs::path kTables = "tests/cases/language";

std::vector<std::string> fields_of(std::string_view line) {
    std::vector<std::string> fields;
    for (;;) {
        std::size_t end = line.find(" | ");
        fields.emplace_back(trim(line.substr(0, end)));
        if (end == std::string_view::npos)
            return fields;
        line.remove_prefix(end + 3);
    }
}

std::vector<std::vector<std::string>> rows_of(const char* table) {
    std::vector<std::vector<std::string>> rows;
    for (const std::string& line : split(read_file(kTables / table, 1 << 20), '\n'))
        if (!line.empty() && line[0] != '#')
            rows.push_back(fields_of(line));
    return rows;
}

std::string json(const NodePtr& value) {
    if (!value)
        return "gone";
    JsonWriter out;
    write_json(out, *value);
    return out.take();
}

struct Reading {
    Sources sources;
    Diagnostics diagnostics;
    NodePtr root;

    std::string messages() const { return render(diagnostics, sources, {}); }
};

/// "path => JSON", or ERR and words that the messages hold.
void expect(const Reading& reading, const std::string& outcome) {
    std::string messages = reading.messages();
    CAPTURE(messages);
    if (outcome.starts_with("ERR")) {
        CHECK_FALSE(reading.diagnostics.ok());
        CHECK(messages.find(trim(std::string_view(outcome).substr(3))) != std::string::npos);
        return;
    }
    CHECK(reading.diagnostics.ok());
    std::size_t arrow = outcome.find(" => ");
    REQUIRE(arrow != std::string::npos);
    if (reading.root)
        CHECK(json(look_up(reading.root, split(outcome.substr(0, arrow), '.'))) ==
              outcome.substr(arrow + 4));
}

class Folder {
public:
    Folder() {
        std::string pattern = (fs::temp_directory_path() / "stillroom-XXXXXX").string();
        path_ = mkdtemp(pattern.data());
    }
    ~Folder() { fs::remove_all(path_); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;
    fs::path write(const char* name, const std::string& text) const {
        std::ofstream(path_ / name) << text << "\n";
        return path_ / name;
    }

private:
    fs::path path_;
};

void composed(Reading& reading, const fs::path& recipe, const std::vector<std::string>& arguments) {
    Request request;
    request.recipe = recipe;
    for (const std::string& argument : arguments)
        request.arguments.push_back({3, argument});
    std::optional<Recipe> made = compose(reading.sources, request, reading.diagnostics);
    if (made)
        reading.root = made->root;
}

void check_merge(const std::vector<std::string>& row) {
    Folder folder;
    folder.write("base.yaml", "k: " + row[2] + "\nb: {x: 1}");
    Reading reading;
    composed(reading, folder.write("r.yaml", "defaults: [base, _self_]\nk: " + row[3]), {});
    expect(reading, row[4].starts_with("ERR") ? row[4] : "k => " + row[4]);
}

void check_field(const std::vector<std::string>& row) {
    Reading reading;
    const Source& schema_text =
        reading.sources.add("schema.json", R"({"properties":{"k":)" + row[2] + "}}");
    Document schema_document = read_json(schema_text, {}, reading.diagnostics);
    Document value =
        read_yaml(reading.sources.add("r.yaml", "k: " + row[3]), {}, reading.diagnostics);
    REQUIRE(reading.diagnostics.ok());
    Schema schema = compile(schema_document.root, "", nullptr, reading.diagnostics);
    ValidateOptions options;
    options.typing = Typing::recipe;
    for (const Mistake& mistake : validate(schema, value.root, options))
        reading.diagnostics.add(diagnostic_of(mistake));
    if (reading.diagnostics.ok())
        reading.root = typed(schema, value.root);
    expect(reading, row[4].starts_with("ERR") ? row[4] : "k => " + row[4]);
}

}  // namespace

TEST_CASE("every line on merging, updating and typed fields has its outcome") {
    int count = 0;
    for (const std::vector<std::string>& row : rows_of("merge.txt")) {
        REQUIRE(row.size() == 5);
        CAPTURE(row[1]);
        if (row[0] == "merge") {
            check_merge(row);
        } else if (row[0] == "update") {
            Folder folder;
            Reading reading;
            composed(reading, folder.write("r.yaml", row[2]), {row[3]});
            expect(reading, row[4]);
        } else {
            REQUIRE(row[0] == "field");
            check_field(row);
        }
        ++count;
    }
    CHECK(count == 70);
}

TEST_CASE("every line on the typing of a file's scalars has its outcome") {
    int count = 0;
    for (const std::vector<std::string>& row : rows_of("typing.txt")) {
        REQUIRE(row.size() == 3);
        CAPTURE(row[0]);
        std::string text = row[1];
        if (std::size_t at = text.find("\\n"); at != std::string::npos)
            text = text.substr(0, at) + '\n' + text.substr(at + 2);
        Reading reading;
        Document document = read_yaml(reading.sources.add("r.yaml", text), {}, reading.diagnostics);
        if (document.root) {
            refuse_leading_zeros(*document.root, reading.diagnostics);
            reading.root = resolve(document.root, {}, reading.diagnostics);
        }
        expect(reading, row[2]);
        ++count;
    }
    CHECK(count == 25);
}
