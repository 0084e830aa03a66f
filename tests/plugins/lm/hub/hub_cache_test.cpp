#include "plugins/lm/hub/hub_cache.h"

#include "tests/engine/temporary_folder.h"
#include "tests/plugins/lm/hub/refusal.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/stat.h>

#include <fstream>

namespace stillroom::lm {
namespace {

namespace fs = std::filesystem;

const std::string kCommit(40, 'c');

struct Filled {
    TemporaryFolder folder;
    HubSource source = parse_hub_source("hf:org/name@v1/beta");
    RepoCache cache{folder.path() / "hub", source, true};

    void add(const std::string& path, const std::string& etag, const std::string& text) {
        cache.prepare();
        std::ofstream(cache.blobs() / etag) << text;
        cache.keep_file(kCommit, path, etag);
    }
};

TEST_CASE("a cache has the folders of Hugging Face's tools") {
    Filled filled;
    RepoCache& cache = filled.cache;
    CHECK(cache.folder() == filled.folder.path() / "hub/models--org--name");
    CHECK(RepoCache("/c", parse_hub_source("hf:datasets/a/b"), true).folder() ==
          "/c/datasets--a--b");
    CHECK(!cache.commit_of("v1/beta"));
    CHECK(cache.commit_of(kCommit) == kCommit);
    CHECK(!fs::exists(cache.root()));  // looking made nothing
    cache.keep_commit("v1/beta", kCommit);
    CHECK(cache.commit_of("v1/beta") == kCommit);
    CHECK(fs::file_size(cache.folder() / "refs/v1/beta") == 40);
    filled.add("a/b/config.json", "e1", "text");
    CHECK(fs::read_symlink(cache.snapshot(kCommit) / "a/b/config.json") == "../../../../blobs/e1");
    CHECK(cache.holds(kCommit, "a/b/config.json"));
    CHECK(cache.holds_blob("e1", 4));
    CHECK(!cache.holds_blob("e1", 5));
    cache.keep_absent(kCommit, "x/y");
    CHECK(cache.known_absent(kCommit, "x/y"));
    CHECK(!cache.known_absent(kCommit, "x/z"));
}

TEST_CASE("a file counts when it has the size that was listed, through any number of links") {
    Filled filled;
    filled.add("m", "e1", "text");
    CHECK(filled.cache.holds(kCommit, HubFile{"m", 4, "", "", ""}));
    CHECK(!filled.cache.holds(kCommit, HubFile{"m", 5, "", "", ""}));
    // A blob may link to the store that all repositories share.
    fs::create_directories(filled.cache.root() / "blobs/ab");
    fs::rename(filled.cache.blobs() / "e1", filled.cache.root() / "blobs/ab/abcd");
    fs::create_symlink("../../blobs/ab/abcd", filled.cache.blobs() / "e1");
    CHECK(filled.cache.holds(kCommit, HubFile{"m", 4, "", "", ""}));
    fs::remove(filled.cache.root() / "blobs/ab/abcd");
    CHECK(!filled.cache.holds(kCommit, "m"));
}

TEST_CASE("a ref that names no commit is none") {
    Filled filled;
    fs::create_directories(filled.cache.folder() / "refs/v1");
    for (const char* text : {"", "../../../etc", "CCCC"}) {
        std::ofstream(filled.cache.folder() / "refs/v1/beta") << text;
        CHECK(!filled.cache.commit_of("v1/beta"));
    }
}

TEST_CASE("without a tree a model folder is judged by its index") {
    Filled filled;
    auto missing = [&](HubPart part = HubPart::all) {
        std::string names;
        for (const std::string& name : missing_model_files(filled.cache, kCommit, part))
            names += name + " ";
        return names;
    };
    CHECK(missing() == "config.json ");
    filled.add("config.json", "e1", "{}");
    CHECK(missing() == "model.safetensors ");
    CHECK(missing(HubPart::small_files) == "");
    const char* index = R"({"weight_map": {"a": "one.safetensors", "b": "../two.safetensors"}})";
    filled.add("model.safetensors.index.json", "e2", index);
    filled.add("one.safetensors", "e3", "");
    CHECK(missing() == "../two.safetensors ");
    filled.add("model.safetensors.index.json", "e2", "[]");
    CHECK(missing() == "model.safetensors.index.json ");
    filled.add("model.safetensors", "e4", "");
    CHECK(missing() == "");
}

TEST_CASE("a file on its way that nobody has touched for a day is swept, no other") {
    Filled filled;
    filled.add("m", "e1", "text");
    fs::path old = filled.cache.incomplete_blob("e1"), young = filled.cache.incomplete_blob("e1");
    CHECK(old != young);
    for (const fs::path& path : {old, young})
        std::ofstream(path) << "part";
    auto day = std::chrono::hours(25);
    fs::last_write_time(old, fs::file_time_type::clock::now() - day);
    fs::last_write_time(filled.cache.blobs() / "e1", fs::file_time_type::clock::now() - day);
    fs::path link = filled.cache.incomplete_blob("e1");
    fs::create_symlink("../../blobs/e1", link);
    timespec long_ago[2] = {{0, 0}, {0, 0}};
    REQUIRE(::utimensat(AT_FDCWD, link.c_str(), long_ago, AT_SYMLINK_NOFOLLOW) == 0);
    filled.cache.sweep();
    CHECK(!fs::is_symlink(link));
    CHECK(!fs::exists(old));
    CHECK(fs::exists(young));
    CHECK(filled.cache.holds(kCommit, "m"));
}

}  // namespace
}  // namespace stillroom::lm
