#include "engine/base/error.h"
#include "engine/store/store.h"
#include "tests/engine/store/scratch.h"

#include <doctest/doctest.h>
#include <fcntl.h>

using namespace stillroom;
namespace fs = std::filesystem;

namespace {

constexpr std::uint64_t kAny = UINT64_MAX;

void settle() {
    ::usleep(60'000);  // longer than a tick of any clock of files here
}

}  // namespace

TEST_CASE("an outside file is hashed once, and again when anything of it changes") {
    Scratch scratch;
    Store store(scratch / "store");
    put(scratch / "a.txt", "first");
    CHECK(!store.outside_file(scratch / "a.txt", Verify::sizes, 4, 1));
    settle();
    CHECK(store.outside_file(scratch / "a.txt", Verify::sizes, kAny, 1)->digest ==
          digest_of("first"));
    CHECK(store.outside_file(scratch / "a.txt", Verify::sizes, 0, 1)->digest == digest_of("first"));
    CHECK(!store.outside_file(scratch / "a.txt", Verify::digests, 0, 1));

    struct stat status {};
    ::stat((scratch / "a.txt").c_str(), &status);
    put(scratch / "a.txt", "other");  // the same size, and the same time of change by hand
    timespec times[2] = {status.st_atim, status.st_mtim};
    ::utimensat(AT_FDCWD, (scratch / "a.txt").c_str(), times, 0);
    CHECK(!store.outside_file(scratch / "a.txt", Verify::sizes, 0, 1));
    CHECK(store.outside_file(scratch / "a.txt", Verify::sizes, kAny, 1)->digest ==
          digest_of("other"));
}

TEST_CASE("a file that was changed just now is not remembered: it may change again unseen") {
    Scratch scratch;
    Store store(scratch / "store");
    put(scratch / "a.txt", "first");
    timespec now{};
    ::clock_gettime(CLOCK_REALTIME, &now);
    now.tv_sec += 60;  // "just now" for as long as this test may take
    timespec times[2] = {now, now};
    REQUIRE(::utimensat(AT_FDCWD, (scratch / "a.txt").c_str(), times, 0) == 0);
    store.outside_file(scratch / "a.txt", Verify::sizes, kAny, 1);
    CHECK(!store.outside_file(scratch / "a.txt", Verify::sizes, 0, 1));
}

TEST_CASE("a note that was tampered with is as good as none") {
    Scratch scratch;
    Store store(scratch / "store");
    put(scratch / "a.txt", "first");
    settle();
    store.outside_file(scratch / "a.txt", Verify::sizes, kAny, 1);
    for (const auto& note : fs::recursive_directory_iterator(scratch / "store/digests"))
        if (note.is_regular_file())
            put(note.path(), "nonsense");
    CHECK(!store.outside_file(scratch / "a.txt", Verify::sizes, 0, 1));
}

TEST_CASE("a folder outside has the identity of its files, remembered or not") {
    Scratch scratch;
    Store store(scratch / "store");
    put(scratch / "out/a.txt", "a");
    put(scratch / "out/b/c.txt", "c");
    settle();
    std::string digest = content_digest(digest_folder(scratch / "out", 1));
    for (Verify verify : {Verify::digests, Verify::sizes, Verify::sizes})
        CHECK(store.outside_digest(scratch / "out", verify, 2) == digest);
    CHECK(store.outside_digest(scratch / "out/a.txt", Verify::sizes, 1) == digest_of("a"));
    CHECK_THROWS_AS(store.outside_digest(scratch / "none", Verify::sizes, 1), Error);
}

TEST_CASE("a binding reads back as it was remembered") {
    Scratch scratch;
    Store store(scratch / "store");
    std::string id = key_of_record("binding");
    CHECK(!store.find_binding(id));
    put(scratch / "model/config.json", "{}");
    Binding binding;
    Binding::Folder folder{
        "checkpoint", scratch / "model", digest_folder(scratch / "model", 1), ""};
    folder.digest = content_digest(folder.files);
    binding.outputs["model"] = folder;
    binding.reads = {digest_file(scratch / "model/config.json", 1)};
    binding.key = key_of_record("one");
    store.remember_binding(id, binding);
    std::optional<Binding> again = store.find_binding(id);
    REQUIRE(again);
    CHECK(again->outputs["model"].files.front().stamp == folder.files.front().stamp);
    CHECK(again->outputs["model"].digest == folder.digest);
    CHECK(again->outputs["model"].path == folder.path);
    CHECK(again->reads.front().path == (scratch / "model/config.json").string());
    CHECK(again->key == binding.key);

    put(scratch.path() / "store/bindings" / id, "{\"outputs\": {}");
    CHECK(!store.find_binding(id));
}

TEST_CASE("the store's folder: flag, variable, configuration, then the user's cache") {
    ::unsetenv("STILLROOM_STORE");
    CHECK(store_folder("/flag", "/configured") == "/flag");
    CHECK(store_folder("", "/configured") == "/configured");
    CHECK(store_folder("", "").filename() == "store");
    ::setenv("STILLROOM_STORE", "/variable", 1);
    CHECK(store_folder("", "/configured") == "/variable");
    ::unsetenv("STILLROOM_STORE");
}
