#include "engine/store/manifest.h"

#include "engine/store/fields.h"
#include "tests/engine/store/scratch.h"

#include <doctest/doctest.h>

using namespace stillroom;

namespace {

Manifest sample() {
    Manifest manifest = manifest_of("one");
    manifest.key = key_of_record("one");
    manifest.created = "2026-01-01T00:00:00Z";
    manifest.seconds = 1.5;
    manifest.decided = {{"device", "cpu"}};
    manifest.written = {{"/out", std::string(64, 'a')}};
    manifest.failed = "mmlu 0.5 is below 0.6";
    StoredOutput& output = manifest.outputs.front();
    output.files = {{"a b\n\"é", 3, digest_of("abc"), {}}, {"deep/c", 0, digest_of(""), {}}};
    output.digest = content_digest(output.files);
    return manifest;
}

std::string why_unfit(const std::string& text) {
    try {
        parse_manifest(text, key_of_record("one"));
    } catch (const Unreadable& unreadable) {
        return unreadable.why;
    }
    return "";
}

std::string with(const std::string& what, const std::string& instead) {
    std::string text = manifest_text(sample());
    std::size_t at = text.find(what);
    REQUIRE(at != std::string::npos);
    return text.replace(at, what.size(), instead);
}

}  // namespace

TEST_CASE("a manifest reads back as it was written") {
    Manifest manifest = sample();
    std::string text = manifest_text(manifest);
    Manifest again = parse_manifest(text, manifest.key);
    CHECK(manifest_text(again) == text);
    CHECK(again.outputs.front().files.front().path == "a b\n\"é");
}

TEST_CASE("a hostile manifest is refused") {
    CHECK(why_unfit("").size() > 0);
    CHECK(why_unfit("[]") == "it holds no JSON object");
    CHECK(why_unfit(std::string(100'000, '[')).size() > 0);
    CHECK(why_unfit(with("\"format\": 1", "\"format\": 2")).find("format") != std::string::npos);
    CHECK(why_unfit(with("\"record\": \"one\"", "\"record\": \"two\"")) ==
          "its record is not that of its key");
    CHECK(why_unfit(with(key_of_record("one"), key_of_record("two"))).find("it is that of") == 0);
    for (const char* path : {"../c", "/etc/passwd", "deep/../../c", "deep//c", "", ".", "deep/"})
        CHECK(why_unfit(with("\"deep/c\"", "\"" + std::string(path) + "\""))
                  .find("leaves its output") != std::string::npos);
    CHECK(why_unfit(with("\"deep/c\"", "\"a b\\n\\\"é\"")).find("is listed twice") !=
          std::string::npos);
    for (const char* size : {"-1", "1.5", "1e3", "\"3\"", "99999999999999999999"})
        CHECK(why_unfit(with("\"size\": 3", "\"size\": " + std::string(size))).size() > 0);
    for (const char* name : {"../x", "a/b", "manifest.json", ".."})
        CHECK(why_unfit(with("\"name\": \"model\"", "\"name\": \"" + std::string(name) + "\""))
                  .find("is no name of an output") != std::string::npos);
    CHECK(why_unfit(with("\"stage\"", "\"key\": \"x\", \"stage\"")).size() > 0);
    CHECK(why_unfit(with(digest_of("abc"), digest_of("abd"))).find("is not that of its files") !=
          std::string::npos);
}

TEST_CASE("a manifest cut anywhere is refused") {
    std::string text = manifest_text(sample());
    for (std::size_t size = 0; size + 2 < text.size(); ++size)
        CHECK(!why_unfit(text.substr(0, size)).empty());
}
