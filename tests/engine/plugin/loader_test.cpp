#include "engine/plugin/loader.h"

#include "engine/base/error.h"

#include <doctest/doctest.h>

#include <cstdlib>

namespace {

using namespace stillroom;
namespace fs = std::filesystem;

fs::path toy() {
    const char* path = std::getenv("STILLROOM_TEST_TOY");
    return path ? path : "build/tests/plugins/toy/toy.so";
}

TEST_CASE("a plugin tells its name, version, build and stages") {
    std::shared_ptr<const Plugin> plugin = Plugin::open(toy());
    CHECK(plugin->name() == "toy");
    CHECK(plugin->version() == "0.1.0");
    CHECK(plugin->build().size() == 64);
    CHECK(plugin->stages().size() >= 3);
}

TEST_CASE("a stage is made from its settings") {
    std::shared_ptr<const Plugin> plugin = Plugin::open(toy());
    CHECK(plugin->make_stage("toy.write", R"({"text": "hello"})"));
    CHECK_THROWS_WITH_AS(
        plugin->make_stage("toy.wrte", "{}"), "plugin 'toy' has no stage 'toy.wrte'", Error);
}

}  // namespace
