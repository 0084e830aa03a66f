#include "engine/store/store.h"

#include "engine/base/error.h"
#include "tests/engine/store/scratch.h"

#include <doctest/doctest.h>

#include <atomic>
#include <functional>
#include <thread>
#include <vector>

using namespace stillroom;
namespace fs = std::filesystem;

namespace {

mode_t mode_of(const fs::path& path) {
    struct stat status {};
    ::lstat(path.c_str(), &status);
    return status.st_mode & 07777;
}

int exit_of(const std::function<void()>& work) {
    try {
        work();
    } catch (const Error& error) {
        return error.exit_code();
    }
    return 0;
}

}  // namespace

TEST_CASE("a published entry is found with what was published") {
    Scratch scratch;
    Store store(scratch / "store");
    Manifest made = make_entry(store, "one");
    std::optional<Manifest> found = find_entry(store, "one");
    REQUIRE(found);
    CHECK(found->stage == "student");
    CHECK(found->outputs.front().digest == made.outputs.front().digest);
    CHECK(found->outputs.front().files.size() == 2);
    CHECK(text_of(store.output(key_of_record("one"), "model") / "deep" / "b.txt") == "hellohello");
    CHECK(list_folder(scratch / "store/work").empty());
    CHECK(list_folder(scratch / "store/tmp").empty());
}

TEST_CASE("reading from a store that is not there makes nothing") {
    Scratch scratch;
    Store store(scratch / "store");
    std::vector<Damage> damage;
    CHECK(!store.find(key_of_record("one"), Verify::digests, damage));
    CHECK(damage.empty());
    CHECK(!store.last_of("student", "toy.write"));
    CHECK(store.entries().empty());
    CHECK(store.verify(Verify::digests).empty());
    store.touch(key_of_record("one"));
    store.hand_over_work(key_of_record("one"), key_of_record("two"));
    CHECK(!fs::exists(scratch / "store"));
}

TEST_CASE("an entry is read-only and respects the umask") {
    Scratch scratch;
    mode_t before = ::umask(027);
    Store store(scratch / "store");
    make_entry(store, "one");
    ::umask(before);
    fs::path entry = store.entry(key_of_record("one"));
    CHECK(mode_of(entry) == 0550);
    CHECK(mode_of(entry / "model" / "deep") == 0550);
    CHECK(mode_of(entry / "manifest.json") == 0440);
    CHECK(mode_of(entry / "model" / "a.txt") == 0440);
    CHECK(mode_of(scratch / "store") == 0750);
}

TEST_CASE("the first publisher of a key wins") {
    Scratch scratch;
    Store store(scratch / "store");
    Manifest first = make_entry(store, "one", "first");
    Manifest second = make_entry(store, "one", "second");
    CHECK(second.outputs.front().digest == first.outputs.front().digest);
    CHECK(text_of(store.output(key_of_record("one"), "model") / "a.txt") == "first");
    CHECK(list_folder(scratch / "store/work").empty());
}

TEST_CASE("an entry is replaced where that is asked for, and a damaged one always") {
    Scratch scratch;
    Store store(scratch / "store");
    fs::path file = store.output(key_of_record("one"), "model") / "a.txt";
    make_entry(store, "one", "first");
    make_entry(store, "one", "second", true);
    CHECK(text_of(file) == "second");
    ::chmod(file.c_str(), 0644);
    put(file, "longer than before");
    make_entry(store, "one", "third");
    CHECK(text_of(file) == "third");
    CHECK(list_folder(scratch / "store/tmp").empty());
}

TEST_CASE("C-4: a damaged entry is none, and it is said why") {
    Scratch scratch;
    Store store(scratch / "store");
    make_entry(store, "one");
    std::string key = key_of_record("one");
    fs::path file = store.output(key, "model") / "a.txt";
    auto damage_of = [&](Verify verify) {
        std::vector<Damage> damage;
        std::optional<Manifest> found = store.find(key, verify, damage);
        CHECK(found.has_value() == damage.empty());
        return damage.empty() ? "" : damage.front().what;
    };
    ::chmod(file.parent_path().c_str(), 0755);
    ::chmod(file.c_str(), 0644);

    put(file, "hullo");  // a flipped byte: the size is right
    CHECK(damage_of(Verify::sizes).empty());
    CHECK(damage_of(Verify::digests).find("model/a.txt has the digest") == 0);
    put(file, "hello!");
    CHECK(damage_of(Verify::sizes) == "model/a.txt is 6 bytes, the manifest says 5");
    fs::remove(file);
    CHECK(damage_of(Verify::sizes) == "model/a.txt is missing");
    fs::create_symlink("/etc/hostname", file);
    CHECK(damage_of(Verify::sizes) == "model/a.txt is no regular file");
    fs::remove(file);
    put(file, "hello");
    put(file.parent_path() / "c.txt", "more");
    CHECK(damage_of(Verify::sizes).empty());
    CHECK(damage_of(Verify::digests) == "model holds 3 files, the manifest lists 2");

    fs::path manifest = store.entry(key) / "manifest.json";
    ::chmod(store.entry(key).c_str(), 0755);
    ::chmod(manifest.c_str(), 0644);
    put(manifest, "{}");
    CHECK(damage_of(Verify::sizes).find("manifest.json is unfit: 'format' is missing") == 0);
    fs::remove(manifest);
    CHECK(damage_of(Verify::sizes) == "manifest.json is missing");
}

TEST_CASE("nothing is published by who lost the lease, nor by who was thought dead") {
    Scratch scratch;
    Store store(scratch / "store");
    std::string key = key_of_record("one");
    Owner holder;
    std::optional<Work> work = store.open_work(key, holder);
    put(work->outputs() / "model" / "a.txt", "mine");
    SUBCASE("another engine made the next lease") {
        put(work->folder / "lease.2", "{}");
    }
    SUBCASE("the lease has gone") {
        fs::remove(work->folder / "lease");
    }
    SUBCASE("the outputs were taken away") {
        fs::rename(work->outputs(), scratch / "taken");
    }
    CHECK(exit_of([&] { store.publish(*work, manifest_of("one"), {}); }) != 0);
    CHECK(!fs::exists(store.entry(key)));
}

TEST_CASE("work that told what it read becomes the entry of another key") {
    Scratch scratch;
    Store store(scratch / "store");
    Owner holder;
    std::optional<Work> work = store.open_work(key_of_record("one"), holder);
    put(work->outputs() / "model" / "a.txt", "mine");
    Manifest made = store.publish(*work, manifest_of("one and a file"), {});
    CHECK(made.key == key_of_record("one and a file"));
    std::vector<Damage> damage;
    CHECK(store.find(made.key, Verify::digests, damage));
    CHECK(!fs::exists(store.entry(key_of_record("one"))));
    CHECK(!fs::exists(work->folder));
}

TEST_CASE("what a stage may not leave is refused, and no entry is made") {
    Scratch scratch;
    Store store(scratch / "store");
    std::string key = key_of_record("one");
    Owner holder;
    std::optional<Work> work = store.open_work(key, holder);
    fs::path model = work->outputs() / "model";
    put(model / "a.txt", "mine");
    Manifest manifest = manifest_of("one");
    SUBCASE("a link") {
        fs::create_symlink("/etc/hostname", model / "b.txt");
    }
    SUBCASE("a pipe") {
        ::mkfifo((model / "b.txt").c_str(), 0666);
    }
    SUBCASE("a name that is no UTF-8") {
        put(model / "\xff\xfe", "x");
    }
    SUBCASE("an output nobody named") {
        put(work->outputs() / "other" / "a.txt", "x");
    }
    SUBCASE("an output that is missing") {
        manifest.outputs.push_back({"scores", "scores", "", {}});
    }
    SUBCASE("a record of another key") {
        manifest.key = key;
        manifest.record = "two";
    }
    CHECK(exit_of([&] { store.publish(*work, manifest, {}); }) != 0);
    CHECK(!fs::exists(store.entry(key)));
    CHECK(work->lease.still_mine());
}

TEST_CASE("a link to what a stage reads counts by its contents, wherever those lie") {
    Scratch scratch;
    Store store(scratch / "store");
    auto publish = [&](const char* record, const fs::path& source) {
        Owner holder;
        std::optional<Work> work = store.open_work(key_of_record(record), holder);
        fs::create_directories(work->outputs() / "model");
        fs::create_symlink(source, work->outputs() / "model" / "a.txt");
        put(work->outputs() / "model" / "b.txt", "own");
        return store.publish(*work, manifest_of(record), {}, false, 1, {source});
    };
    fs::path here = scratch / "here.txt", there = scratch / "there.txt";
    put(here, "hello");
    put(there, "hello");
    std::string digest = publish("one", here).outputs[0].digest;
    CHECK(publish("two", there).outputs[0].digest == digest);
    std::string key = key_of_record("one");
    fs::path inside = store.output(key, "model") / "a.txt";
    std::string by_entry = publish("three", inside).outputs[0].digest;
    CHECK(by_entry == digest);
    CHECK(fs::read_symlink(store.output(key_of_record("three"), "model") / "a.txt") ==
          "../../" + key + "/model/a.txt");
    CHECK(::access(here.c_str(), W_OK) == 0);

    auto damage_of = [&](const char* record, Verify verify) {
        std::vector<Damage> damage;
        std::optional<Manifest> found = store.find(key_of_record(record), verify, damage);
        CHECK(found.has_value() == damage.empty());
        CHECK((damage.empty() || damage.front().outside));
        return damage.empty() ? "" : damage.front().what;
    };
    for (Verify verify : {Verify::sizes, Verify::digests}) {
        put(here, "hello");
        for (const char* record : {"one", "two", "three"})
            CHECK(damage_of(record, verify).empty());
        put(here, "hullo");
        CHECK(damage_of("one", verify).find("is not what model/a.txt was made of") !=
              std::string::npos);
        CHECK(damage_of("three", verify).find("is not what model/a.txt") != std::string::npos);
        CHECK(damage_of("two", verify).empty());
    }
    fs::remove(here);
    CHECK(damage_of("one", Verify::sizes).find("here.txt, which is not there") !=
          std::string::npos);
    CHECK(damage_of("three", Verify::sizes).find("which is not there") != std::string::npos);
    CHECK(store.verify(Verify::digests).empty());
    put(there, "hello");
    CHECK(publish("one", there).outputs[0].digest == digest);  // in place of the broken one
    CHECK(damage_of("three", Verify::sizes).empty());
}

TEST_CASE("a publish that failed can be tried again") {
    Scratch scratch;
    Store store(scratch / "store");
    Owner holder;
    std::optional<Work> work = store.open_work(key_of_record("one"), holder);
    put(work->outputs() / "model" / "a.txt", "mine");
    put(work->outputs() / "model" / "extra", "x");
    put(store.folder() / key_of_record("one") / "in-the-way", "x");
    ::chmod(work->outputs().c_str(), 0755);
    store.publish(*work, manifest_of("one"), {});  // what is no entry gives way
    CHECK(find_entry(store, "one"));
}

TEST_CASE("digests that the writer worked out are believed by their stamp alone") {
    Scratch scratch;
    Store store(scratch / "store");
    Owner holder;
    std::optional<Work> work = store.open_work(key_of_record("one"), holder);
    fs::path file = work->outputs() / "model" / "a.txt";
    put(file, "hello");
    std::string other(64, 'a');
    FileRecord right{file.string(), 5, other, stamp_of(file)};
    FileRecord wrong = right;
    wrong.stamp.modified_ns += 1;
    SUBCASE("the same stamp") {
        Manifest made = store.publish(*work, manifest_of("one"), {right});
        CHECK(made.outputs.front().files.front().digest == other);
    }
    SUBCASE("another stamp") {
        Manifest made = store.publish(*work, manifest_of("one"), {wrong});
        CHECK(made.outputs.front().files.front().digest == digest_of("hello"));
    }
}

TEST_CASE("work survives an interruption, what it had put out does not") {
    Scratch scratch;
    Store store(scratch / "store");
    std::string key = key_of_record("one");
    Owner holder;
    {
        std::optional<Work> work = store.open_work(key, holder);
        put(work->state() / "step-10", "state");
        put(work->outputs() / "model" / "half", "x");
        CHECK(!store.open_work(key, holder));
        CHECK(holder.pid == ::getpid());
    }
    std::optional<Work> again = store.open_work(key, holder);
    REQUIRE(again);
    CHECK(text_of(again->state() / "step-10") == "state");
    CHECK(fs::is_empty(again->outputs()));
    store.drop_work(std::move(*again));
    CHECK(list_folder(scratch / "store/work").empty());
}

TEST_CASE("work is handed over to a key that has none") {
    Scratch scratch;
    Store store(scratch / "store");
    std::string from = key_of_record("one");
    std::string to = key_of_record("two");
    Owner holder;
    put(store.open_work(from, holder)->state() / "step-10", "old");
    SUBCASE("one with none") {
        store.hand_over_work(from, to);
        CHECK(text_of(scratch.path() / "store/work" / to / "work/step-10") == "old");
        CHECK(!fs::exists(scratch.path() / "store/work" / from));
    }
    SUBCASE("one with some of its own") {
        put(store.open_work(to, holder)->state() / "step-20", "new");
        store.hand_over_work(from, to);
        CHECK(list_folder(scratch.path() / "store/work" / to / "work").size() == 1);
        CHECK(fs::exists(scratch.path() / "store/work" / from / "work/step-10"));
    }
    SUBCASE("never while it is in use") {
        std::optional<Work> held = store.open_work(from, holder);
        CHECK(exit_of([&] { store.hand_over_work(from, to); }) == kExitIntegrity);
    }
}

TEST_CASE("the newest entry of a stage is found without a search") {
    Scratch scratch;
    Store store(scratch / "store");
    make_entry(store, "one");
    make_entry(store, "two");
    CHECK(store.last_of("student", "toy.write")->record == "two");
    CHECK(!store.last_of("student", "toy.read"));
    store.remove(key_of_record("two"));
    CHECK(!store.last_of("student", "toy.write"));
}

TEST_CASE("what a stage wrote elsewhere must be there unchanged") {
    Scratch scratch;
    Store store(scratch / "store");
    put(scratch / "out/a.txt", "exported");
    Owner holder;
    std::optional<Work> work = store.open_work(key_of_record("one"), holder);
    Manifest manifest = manifest_of("one");
    manifest.outputs.clear();
    manifest.written[scratch / "out"] = store.outside_digest(scratch / "out", Verify::digests, 1);
    store.publish(*work, manifest, {});
    CHECK(find_entry(store, "one"));
    std::vector<Damage> damage;
    SUBCASE("changed") {
        put(scratch / "out/a.txt", "exporteD");
    }
    SUBCASE("gone") {
        fs::remove_all(scratch / "out");
    }
    CHECK(!store.find(key_of_record("one"), Verify::sizes, damage));
    REQUIRE(damage.size() == 1);
    CHECK(damage.front().outside);
    CHECK(store.verify(Verify::digests).empty());
}

TEST_CASE("C-1: many engines on one key make one entry") {
    Scratch scratch;
    std::atomic<int> computed = 0;
    std::vector<std::thread> engines;
    for (int i = 0; i < 8; ++i)
        engines.emplace_back([&] {
            Store store(scratch / "store");
            Owner holder;
            for (;;) {
                std::vector<Damage> damage;
                if (store.find(key_of_record("one"), Verify::sizes, damage))
                    return;
                std::optional<Work> work = store.open_work(key_of_record("one"), holder);
                if (work && !store.find(key_of_record("one"), Verify::sizes, damage)) {
                    ++computed;
                    put(work->outputs() / "model" / "a.txt", "same");
                    store.publish(*work, manifest_of("one"), {});
                }
            }
        });
    for (std::thread& engine : engines)
        engine.join();
    CHECK(computed == 1);
    CHECK(find_entry(Store(scratch / "store"), "one"));
    CHECK(Store(scratch / "store").verify(Verify::digests).empty());
}

TEST_CASE("a key that is none never becomes a path") {
    Scratch scratch;
    Store store(scratch / "store");
    Owner holder;
    std::vector<Damage> damage;
    for (const char* key : {"../../etc", "", "ABC", "manifest.json"}) {
        CHECK(exit_of([&] { store.find(key, Verify::sizes, damage); }) == kExitInternal);
        CHECK(exit_of([&] { store.open_work(key, holder); }) == kExitInternal);
        CHECK(exit_of([&] { store.remove(key); }) == kExitInternal);
    }
}
