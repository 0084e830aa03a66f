#include "engine/plugin/loader.h"

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/sha256.h"
#include "engine/plugin/plugin.h"
#include "tests/engine/temporary_folder.h"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <thread>

namespace {

using namespace stillroom;
namespace fs = std::filesystem;

fs::path toy() {
    return environment("STILLROOM_TEST_TOY");
}
fs::path module(const std::string& name) {
    return fs::path(environment("STILLROOM_TEST_MODULES")) / (name + ".so");
}

struct Folder : TemporaryFolder {
    fs::path copy_of(const fs::path& file, const std::string& name) const {
        fs::copy_file(file, path() / name, fs::copy_options::overwrite_existing);
        ::chmod((path() / name).c_str(), 0644);
        return path() / name;
    }
};

/// "EXIT: what follows `cannot open the plugin FILE: `".
std::string refusal(const fs::path& file) {
    try {
        Plugin::open(file);
    } catch (const Error& error) {
        std::string what = error.what();
        std::string begin = "cannot open the plugin " + file.string() + ": ";
        if (what.starts_with(begin))
            what = what.substr(begin.size());
        return std::to_string(error.exit_code()) + ": " + what;
    }
    return "opened";
}

TEST_CASE("a plugin tells its name, version, build and stages") {
    std::shared_ptr<const Plugin> plugin = Plugin::open(toy());
    CHECK(plugin->name() == "toy");
    CHECK(plugin->version() == "0.1.0");
    CHECK(!plugin->build().empty());
    CHECK(plugin->file() == fs::canonical(toy()));
    CHECK(plugin->stages().size() >= 14);
}

TEST_CASE(
    "a build is told by the linker's build id, or by the file's SHA-256 where there is none") {
    Folder folder;
    std::string whole = read_file(toy(), std::size_t{1} << 30);
    // Type 3, named GNU; what follows is the id.
    std::size_t note = whole.find(std::string("\3\0\0\0GNU\0", 8));
    REQUIRE(note != std::string::npos);
    std::string other = whole;
    other[note + 8] ^= 1;
    write_file(folder.path() / "other.so", other);
    whole[note] = 9;
    write_file(folder.path() / "none.so", whole);

    std::string build = Plugin::open(toy())->build();
    std::string changed = Plugin::open(folder.path() / "other.so")->build();
    CHECK(build.substr(0, 2) != changed.substr(0, 2));
    CHECK(build.substr(2) == changed.substr(2));
    CHECK(Plugin::open(folder.path() / "none.so")->build() == sha256_hex(whole));
}

TEST_CASE("a stage is made from its settings, and an error thrown in a plugin is caught by type") {
    std::shared_ptr<const Plugin> plugin = Plugin::open(toy());
    CHECK(plugin->make_stage("toy.write", R"({"text": "hello"})"));
    CHECK_THROWS_WITH_AS(
        plugin->make_stage("toy.wrte", "{}"), "plugin 'toy' has no stage 'toy.wrte'", Error);
    CHECK_THROWS_WITH_AS(
        plugin->make_stage("toy.write", R"({"text": 1})"), "'text' should be text, not 1", Error);
}

TEST_CASE("what is no plugin is refused by what it is") {
    Folder folder;
    CHECK(refusal(folder.path() / "absent.so") == "2: No such file or directory");
    CHECK(refusal(folder.path()) == "2: it is no regular file");
    write_file(folder.path() / "text.so", "import os");
    CHECK(refusal(folder.path() / "text.so") == "10: it is no ELF file");
    write_file(folder.path() / "empty.so", "");
    CHECK(refusal(folder.path() / "empty.so") == "10: it is no ELF file");
    fs::path pipe = folder.path() / "pipe.so";
    REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
    CHECK(refusal(pipe) == "2: it is no regular file");
    CHECK(refusal(module("no_symbol")) == "10: it has no symbol 'stillroom_plugin'");
    CHECK(refusal(module("foreign")) == "10: its table is none of Stillroom's");
    std::string cut = read_file(toy(), std::size_t{1} << 30).substr(0, 5000);
    write_file(folder.path() / "cut.so", cut);
    CHECK(refusal(folder.path() / "cut.so") == "10: it was cut short");
    write_file(folder.path() / "short.so", cut.substr(0, 20));
    CHECK(refusal(folder.path() / "short.so") == "10: it was cut short");
    CHECK(refusal("/proc/self/exe") != "opened");
}

TEST_CASE("a plugin of another engine or compiler is refused before anything else of it is used") {
    CHECK(refusal(module("other_abi")) == "10: it was built for Stillroom 0.9, this is " +
                                              std::to_string(kEngineMajor) + "." +
                                              std::to_string(kEngineMinor));
    CHECK(refusal(module("other_compiler")) ==
          "10: it was built with g++ or clang and libc++, the engine with g++ or clang and "
          "libstdc++");
}

TEST_CASE("the engine's version in the ABI is the project's") {
    CHECK(
        environment("STILLROOM_TEST_VERSION")
            .starts_with(std::to_string(kEngineMajor) + "." + std::to_string(kEngineMinor) + "."));
}

TEST_CASE("a plugin may not add what belongs to another") {
    CHECK(refusal(module("strange")) == "10: plugin 'strange' may not add the stage 'toy.write'");
}

TEST_CASE("what everybody may write is not loaded") {
    Folder folder;
    fs::path file = folder.copy_of(toy(), "toy.so");
    ::chmod(file.c_str(), 0666);
    CHECK(refusal(file) == "10: everybody may write it");
    ::chmod(file.c_str(), 0644);
    ::chmod(folder.path().c_str(), 0777);
    CHECK(refusal(file) == "10: everybody may write its folder");
    ::chmod(folder.path().c_str(), 01777);
    CHECK(refusal(file) == "10: everybody may write its folder");
    ::chmod(folder.path().c_str(), 0700);
    CHECK(refusal(file) == "opened");
}

TEST_CASE("what belongs to somebody else is not loaded") {
    Folder folder;
    fs::path file = folder.copy_of(toy(), "toy.so");
    if (::geteuid() != 0) {
        MESSAGE("skipped: only root can give a file away");
        return;
    }
    REQUIRE(::chown(file.c_str(), 4242, 4242) == 0);
    CHECK(refusal(file) == "10: it belongs to user 4242");
    REQUIRE(::chown(file.c_str(), 0, 0) == 0);
    REQUIRE(::chown(folder.path().c_str(), 4242, 4242) == 0);
    CHECK(refusal(file) == "10: its folder belongs to user 4242");
    REQUIRE(::chown(folder.path().c_str(), 0, 0) == 0);
}

TEST_CASE("a link is followed once, and what stands there is what is judged") {
    Folder folder;
    Folder open;
    fs::path bad = open.copy_of(toy(), "toy.so");
    ::chmod(open.path().c_str(), 0777);
    fs::create_symlink(bad, folder.path() / "toy.so");
    CHECK(refusal(folder.path() / "toy.so") == "10: everybody may write its folder");
}

TEST_CASE("a link that is turned while a plugin is opened never gets unchecked code loaded") {
    Folder folder, open;
    fs::path good = folder.copy_of(toy(), "good.so");
    fs::path bad = open.copy_of(module("strange"), "bad.so");
    ::chmod(bad.c_str(), 0666);
    fs::path link = folder.path() / "toy.so";
    fs::create_symlink(good, link);
    std::atomic<bool> stop = false;
    std::thread turner([&] {
        for (bool to_bad = true; !stop; to_bad = !to_bad) {
            fs::create_symlink(to_bad ? bad : good, folder.path() / "next");
            fs::rename(folder.path() / "next", link);
        }
    });
    for (int i = 0; i < 200; ++i) {
        std::string result = refusal(link);
        CHECK((result == "opened" || result == "10: everybody may write it"));
    }
    stop = true;
    turner.join();
}

TEST_CASE("the module of a stage is looked for in order, and the places are named") {
    Folder first, second;
    fs::path file = second.copy_of(toy(), "toy.so");
    CHECK(find_module("toy.write", {first.path(), second.path()}) == file);
    CHECK(find_module("toy.write", {first.path(), file}) == file);
    CHECK(find_module("toy.write", {file, second.path()}) == file);
    CHECK_THROWS_WITH_AS(find_module("prune.depth", {first.path(), second.path()}),
                         ("the plugin of 'prune.depth' is not there: no " + first.path().string() +
                          "/prune.so and no " + second.path().string() + "/prune.so")
                             .c_str(),
                         Error);
    CHECK_THROWS_WITH_AS(find_module("prune.depth", {file}),
                         "no place to look for the plugin of 'prune.depth'",
                         Error);
    CHECK_THROWS_WITH_AS(find_module("toy.write", {second.path()}, {"toy.write"}),
                         "the code of 'toy.write' is still to come",
                         Error);
    fs::path other = first.copy_of(toy(), "toy.so");
    CHECK_THROWS_WITH_AS(
        find_module("toy.write", {first.path(), second.path()}),
        ("there are two plugins 'toy': " + other.string() + " and " + file.string()).c_str(),
        Error);
}

TEST_CASE("a process opens a plugin once for all its stages") {
    Plugins plugins({toy().parent_path()});
    CHECK(&plugins.of_stage("toy.write") == &plugins.of_stage("toy.join"));
}

}  // namespace
