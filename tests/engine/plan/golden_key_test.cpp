#include "engine/base/digest.h"
#include "engine/base/files.h"
#include "engine/base/text.h"
#include "engine/plan/key.h"
#include "engine/plan/plan.h"
#include "engine/schema/catalog.h"
#include "tests/engine/temporary_folder.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <cstdlib>
#include <fstream>
#include <set>

using namespace stillroom;
namespace fs = std::filesystem;

// keys.txt holds the key record and the key of a stage of each declared type, every input and every
// outside path of it holding a known content. A difference means that everybody's store is missed:
// either by mistake, or it is wanted, and then the format's number or the stage's x-version says
// so. STILLROOM_ACCEPT=1 rewrites it.

namespace {

const fs::path kHere = fs::path(STILLROOM_SOURCE) / "tests/engine/plan";
constexpr std::size_t kMost = std::size_t{1} << 20;

KeyParts known_parts(const CheckedStage& stage) {
    KeyParts parts;
    for (const Input& input : stage.inputs)
        for (const Feed& feed : input.feeds)
            parts.inputs[input.port].push_back(digest_of(feed.stage + "." + feed.output));
    for (const OutsidePath& path : outside_paths(stage))
        if (path.local)
            parts.outside[path.setting] = digest_of(path.setting);
    return parts;
}

}  // namespace

TEST_CASE("the keys of every declared stage type are those that they were") {
    Sources sources;
    Diagnostics diagnostics;
    fs::path source = STILLROOM_SOURCE;
    Catalog catalog(sources, {source / "schemas", source / "tests/plugins/toy"});
    Request request;
    request.recipe = kHere / "keys.yaml";
    request.catalog = &catalog;
    std::optional<Recipe> recipe = compose(sources, request, diagnostics);
    REQUIRE(recipe);
    CheckOptions options;
    options.request = request;
    options.environment = [](const std::string&) { return std::nullopt; };
    Checked checked = check(sources, *recipe, catalog, options, diagnostics);
    INFO(render(diagnostics, sources, {}));
    REQUIRE(diagnostics.ok());

    std::set<std::string> types;
    std::string keys;
    for (const CheckedStage& stage : checked.stages) {
        types.insert(stage.use);
        std::string record = key_record(stage, known_parts(stage));
        keys += fmt::format("{} {}\n{}\n\n", stage.name, key_of(record), record);
    }
    for (const std::string& name : catalog.names()) {
        CAPTURE(name);
        CHECK(types.contains(name));  // keys.yaml needs a stage of this type
    }
    fs::path golden = kHere / "keys.txt";
    if (const char* accepts = std::getenv("STILLROOM_ACCEPT"); accepts && accepts[0] == '1')
        std::ofstream(golden) << keys;
    std::vector<std::string> now = split(keys, '\n');
    std::vector<std::string> then = split(read_file(golden, kMost), '\n');
    REQUIRE(now.size() == then.size());
    for (std::size_t line = 0; line < now.size(); ++line)
        CHECK(now[line] == then[line]);
}

TEST_CASE("the same relative path is another source in another folder") {
    Sources sources;
    Diagnostics diagnostics;
    fs::path source = STILLROOM_SOURCE;
    Catalog catalog(sources, {source / "schemas", source / "tests/plugins/toy"});
    std::set<std::string> ids, records;
    for (int i = 0; i < 2; ++i) {
        TemporaryFolder folder;
        folder.write("recipe.yaml", "stages:\n  s: {use: toy.source, folder: ./model}\n");
        Request request;
        request.recipe = folder.path() / "recipe.yaml";
        request.catalog = &catalog;
        std::optional<Recipe> recipe = compose(sources, request, diagnostics);
        REQUIRE(recipe);
        CheckOptions options;
        options.request = request;
        Checked checked = check(sources, *recipe, catalog, options, diagnostics);
        REQUIRE(diagnostics.ok());
        const CheckedStage& stage = checked.stages.front();
        ids.insert(binding_id_of(stage, key_record(stage, {})));
        KeyParts parts;
        parts.outside["folder"] = digest_of("the same content");
        records.insert(key_record(stage, parts));
    }
    CHECK(ids.size() == 2);
    CHECK(records.size() == 1);
}
