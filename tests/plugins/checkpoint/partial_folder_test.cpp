#include "plugins/checkpoint/partial_folder.h"

#include "engine/base/files.h"
#include "tests/engine/temporary_folder.h"

#include <doctest/doctest.h>

using namespace stillroom;
using namespace stillroom::checkpoint;
namespace fs = std::filesystem;

namespace {

using Names = std::vector<std::string>;

void fill(const PartialFolder& folder, const Names& names) {
    for (const std::string& name : names)
        write_file(folder.path() / name, "new");
}

TEST_CASE("a folder has its name when it is whole, and is not there before") {
    TemporaryFolder scratch;
    fs::path to = scratch.path() / "a/model";
    fs::create_directories(to.parent_path());
    PartialFolder folder(to, "mark");
    fill(folder, {"config.json"});
    CHECK(!fs::exists(to));
    folder.publish({"config.json"});
    CHECK(list_folder(to) == Names{"config.json"});
    CHECK(list_folder(to.parent_path()) == Names{"model"});
}

TEST_CASE("what is not published goes, and what a killed writer left goes with its next try") {
    TemporaryFolder scratch;
    fs::path to = scratch.path() / "model", left;
    { fill(PartialFolder(to, "mark"), {"config.json"}); }
    CHECK(list_folder(scratch.path()).empty());
    {
        PartialFolder folder(to, "mark");
        left = folder.path();
    }
    fs::create_directories(left);
    write_file(left / "junk", "old");
    PartialFolder folder(to, "mark");
    CHECK(folder.path() == left);
    CHECK(list_folder(left).empty());
}

TEST_CASE("an older model's files are replaced or go, those of others stay") {
    TemporaryFolder scratch;
    fs::path to = scratch.path();
    for (const char* name : {"config.json",
                             "model-00001-of-00002.safetensors",
                             "model.safetensors.index.json",
                             "tokenizer.json",
                             "mine.txt"})
        write_file(to / name, "old");
    PartialFolder folder(to, "mark");
    fill(folder, {"config.json", "model.safetensors"});
    CHECK(read_file(to / "config.json", 99) == "old");
    folder.publish({"config.json", "model.safetensors"});
    CHECK(list_folder(to) == Names{"config.json", "mine.txt", "model.safetensors"});
    CHECK(read_file(to / "config.json", 99) == "new");
}

}  // namespace
