#include "plugins/lm/hub/hub_source.h"

#include "tests/plugins/lm/hub/refusal.h"

#include <doctest/doctest.h>

namespace stillroom::lm {
namespace {

std::string refusal(const std::string& text) {
    return refusal_of([&] { parse_hub_source(text); });
}

TEST_CASE("a source names a repository, its kind and a revision") {
    HubSource source = parse_hub_source("hf:Qwen/Qwen3-8B");
    CHECK(source.repo == "Qwen/Qwen3-8B");
    CHECK(source.revision == "main");
    CHECK(source.told() == "model 'Qwen/Qwen3-8B'");
    CHECK(!source.pinned());
    source = parse_hub_source("hf:gpt2@refs/pr/7");
    CHECK(source.repo == "gpt2");
    CHECK(source.revision == "refs/pr/7");
    source = parse_hub_source("hf:datasets/org/words@" + std::string(40, 'a'));
    CHECK(source.told() == "dataset 'org/words'");
    CHECK(source.pinned());
    CHECK(!parse_hub_source("hf:a@" + std::string(40, 'A')).pinned());
}

TEST_CASE("an id that the hub would not give is refused") {
    for (const char* text : {"Qwen/Qwen3-8B", "hf:",
                             "hf:/a",         "hf:a/",
                             "hf:a/b/c",      "hf:a--b",
                             "hf:a..b",       "hf:.a",
                             "hf:a.",         "hf:-a",
                             "hf:a-",         "hf:a.git",
                             "hf:a/b.git",    "hf:a b",
                             "hf:\u00e4",     "hf:a@",
                             "hf:a@../x",     "hf:a@/x",
                             "hf:a@x//y",     "hf:a@x\\y",
                             "hf:a@x\ny",     "hf:datasets/a/b/c"}) {
        INFO(text);
        CHECK(refusal(text).starts_with("2: "));
    }
    CHECK(refusal("hf:" + std::string(96, 'a')) == "nothing");
    CHECK(refusal("hf:" + std::string(97, 'a')).starts_with("2: "));
    CHECK(says(refusal("hf:a\x1b[31m"), "\\x1b"));
}

TEST_CASE("a file's path stays in its folder") {
    for (const char* path : {"config.json", "a/b/c.txt", "..a", "\u00e4 b"})
        CHECK(hub_path_fault(path) == "");
    for (const char* path : {"", "/a", "a/", "a//b", "../a", "a/..", "./a", "a\\b", "a\tb", "\xff"})
        CHECK(hub_path_fault(path) != "");
    CHECK(hub_path_fault(std::string(256, 'a')) != "");
}

}  // namespace
}  // namespace stillroom::lm
