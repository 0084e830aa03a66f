#include "engine/recipe/trust.h"

#include "engine/base/error.h"
#include "engine/base/sha256.h"
#include "tests/engine/temporary_folder.h"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <algorithm>

using namespace stillroom;
namespace fs = std::filesystem;

namespace {

struct Fixture {
    TemporaryFolder folder;
    Configuration configuration;
    std::vector<TrustFlag> flags;
    Diagnostics diagnostics;
    fs::path program = "/nowhere/bin/stillroom";

    std::vector<TrustedPath> plugins() {
        return plugin_folders(configuration, flags, diagnostics, program);
    }
    std::vector<std::string> plugin_paths() {
        std::vector<std::string> paths;
        for (const TrustedPath& one : plugins())
            paths.push_back(one.path.lexically_relative(folder.path()).string());
        return paths;
    }
    bool counts(const fs::path& file) { return !find_distrust("plugin", file, plugins()); }
};

}  // namespace

TEST_CASE("plugins are looked for in the build tree, the variable, the site's paths, the flag's") {
    Fixture fixture;
    const TemporaryFolder& folder = fixture.folder;
    folder.write("build/meson-private/x", "");
    folder.write("build/plugins/prune/prune.so", "");
    folder.write("build/plugins/data/data.so", "");
    for (const char* name : {"variable/a.so", "site/b.so", "flag/c.so"})
        folder.write(name, "");
    fixture.program = folder.path() / "build/engine/stillroom";
    fixture.configuration.trust = {folder.path() / "site", folder.path() / "gone"};
    fixture.flags = {{folder.path() / "flag/c.so", {}}, {folder.path() / "site", {}}};
    ::setenv("STILLROOM_PLUGIN_PATH",
             (":" + (folder.path() / "variable").string() + ":/gone").c_str(),
             1);
    std::vector<std::string> found = fixture.plugin_paths();
    ::unsetenv("STILLROOM_PLUGIN_PATH");
    CHECK(fixture.diagnostics.empty());
    CHECK(found ==
          std::vector<std::string>{
              "build/plugins/data", "build/plugins/prune", "variable", "site", "flag/c.so"});
}

TEST_CASE("a folder that only looks like a build tree from further up gives no plugin") {
    Fixture fixture;
    fixture.folder.write("meson-private/x", "");
    fixture.folder.write("plugins/evil/evil.so", "");
    fixture.program = fixture.folder.path() / "prefix/bin/stillroom";
    CHECK(fixture.plugins().empty());
    fixture.program = fixture.folder.path() / "bin/stillroom";
    CHECK(fixture.plugins().empty());
}

TEST_CASE("a file counts by its own path, its folder's, and never by a link out of the folder") {
    Fixture fixture;
    fs::path inside = fixture.folder.write("trusted/deep/a.so", "a");
    fs::path outside = fixture.folder.write("other/b.so", "b");
    fs::path beside = fixture.folder.write("trusted-not/c.so", "c");
    fs::create_symlink(outside, fixture.folder.path() / "trusted/link.so");
    fs::create_directory_symlink(fixture.folder.path() / "trusted", fixture.folder.path() / "name");
    fixture.configuration.trust = {fixture.folder.path() / "name"};
    CHECK(fixture.counts(inside));
    CHECK_FALSE(fixture.counts(outside));
    CHECK_FALSE(fixture.counts(beside));
    CHECK_FALSE(fixture.counts(fixture.folder.path() / "trusted/link.so"));
    CHECK_FALSE(fixture.counts(fixture.folder.path() / "trusted/../other/b.so"));
    fixture.flags = {{outside, {}}};
    CHECK(fixture.counts(outside));
}

TEST_CASE("what is not trusted is told by its path and SHA-256, with the flag that trusts it") {
    Fixture fixture;
    fs::path file = fixture.folder.write("evil.so", "not a plugin");
    std::optional<Distrust> distrust = find_distrust("plugin", file, {});
    REQUIRE(distrust);
    CHECK(distrust->message == "plugin " + file.string() + " (sha256 " +
                                   sha256_hex("not a plugin") + ") is not trusted");
    CHECK(distrust->hint == "--trust " + file.string() + ", if you do");
}

TEST_CASE("a file that everybody may write counts nowhere") {
    Fixture fixture;
    fs::path file = fixture.folder.write("a.so", "a");
    fixture.flags = {{file, {}}};
    CHECK(fixture.counts(file));
    fs::permissions(file, fs::perms::others_write, fs::perm_options::add);
    CHECK_FALSE(fixture.counts(file));
    CHECK(find_distrust("plugin", file, fixture.plugins())
              ->message.ends_with("may be written by everybody"));
}

TEST_CASE("a --trust of what is not there is a mistake") {
    Fixture fixture;
    fs::path file = fixture.folder.write("plugin.so", "");
    fixture.flags = {{fixture.folder.path() / "plugn.so", {}}};
    fixture.plugins();
    REQUIRE(fixture.diagnostics.errors() == 1);
    CHECK(fixture.diagnostics.all().front().hint == "did you mean '" + file.string() + "'?");
}

TEST_CASE("launch commands count from the library and the user's configuration") {
    Fixture fixture;
    ::setenv("XDG_CONFIG_HOME", fixture.folder.path().c_str(), 1);
    fs::path own = fixture.folder.write("stillroom/recipes/launch/mine.yaml", "kind: slurm\n");
    fs::path foreign = fixture.folder.write("project/recipes/launch/mine.yaml", "kind: slurm\n");
    std::vector<TrustedPath> folders =
        launch_folders(fixture.configuration, fixture.flags, fixture.diagnostics);
    ::unsetenv("XDG_CONFIG_HOME");
    CHECK_FALSE(find_distrust("launch file", own, folders));
    CHECK(find_distrust("launch file", foreign, folders));
    CHECK(std::any_of(folders.begin(), folders.end(), [](const TrustedPath& one) {
        return one.from == "the library";
    }));
}
