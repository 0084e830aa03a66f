#include "engine/recipe/search_path.h"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

using namespace stillroom;
namespace fs = std::filesystem;

namespace {

class Scratch {
public:
    Scratch() : path_(fs::temp_directory_path() / "stillroom-search-XXXXXX") {
        std::string name = path_.string();
        REQUIRE(::mkdtemp(name.data()));
        path_ = name;
    }
    ~Scratch() { fs::remove_all(path_); }
    Scratch(const Scratch&) = delete;
    Scratch& operator=(const Scratch&) = delete;

    void option(const std::string& name) const {
        fs::create_directories((path_ / name).parent_path());
        std::ofstream(path_ / (name + ".yaml")) << "a: 1\n";
    }
    std::vector<std::string> groups() const { return SearchPath({{path_, "here"}}).groups(); }
    const fs::path& path() const { return path_; }

private:
    fs::path path_;
};

}  // namespace

TEST_CASE("a group is a folder with options or with groups, hidden folders are none") {
    Scratch scratch;
    scratch.option("base");
    scratch.option("data/mock");
    scratch.option("opt/inner/adam");
    scratch.option(".git/config");
    fs::create_directories(scratch.path() / "out/logs");
    CHECK(scratch.groups() == std::vector<std::string>{"data", "opt", "opt/inner"});
}

TEST_CASE("among very many folders the near groups are listed, and the search ends") {
    Scratch scratch;
    for (int i = 0; i < 1000; ++i)
        fs::create_directories(scratch.path() / ("a" + std::to_string(i % 100)) /
                               ("b" + std::to_string(i)));
    scratch.option("near/one");
    scratch.option("near/far/one");
    CHECK(scratch.groups() == std::vector<std::string>{"near"});
}
