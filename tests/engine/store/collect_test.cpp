#include "engine/base/error.h"
#include "engine/store/store.h"
#include "tests/engine/store/scratch.h"

#include <doctest/doctest.h>
#include <fcntl.h>

using namespace stillroom;
namespace fs = std::filesystem;

namespace {

/// The entry was last used so many seconds ago.
void age(const Store& store, const std::string& record, long seconds) {
    timespec times[2] = {{::time(nullptr) - seconds, 0}, {::time(nullptr) - seconds, 0}};
    ::utimensat(AT_FDCWD, (store.entry(key_of_record(record)) / "manifest.json").c_str(), times, 0);
}

void link_stage(const Store& store,
                const fs::path& run,
                const std::string& stage,
                const std::string& record) {
    fs::create_directories(run / "stages" / stage);
    fs::create_directory_symlink(store.output(key_of_record(record), "model"),
                                 run / "stages" / stage / "model");
}

std::vector<std::string> left(const Store& store) {
    std::vector<std::string> records;
    for (const char* record : {"one", "two", "three"})
        if (find_entry(store, record))
            records.emplace_back(record);
    return records;
}

using Names = std::vector<std::string>;

}  // namespace

TEST_CASE("entries say what they are, how large, and who pins them") {
    Scratch scratch;
    Store store(scratch / "store");
    make_entry(store, "one");
    link_stage(store, scratch / "run", "first/student", "one");
    store.register_run(scratch / "run");
    std::vector<EntrySummary> entries = store.entries();
    REQUIRE(entries.size() == 1);
    CHECK(entries[0].key == key_of_record("one"));
    CHECK(entries[0].stage == "student");
    CHECK(entries[0].bytes > 15);
    CHECK(entries[0].bytes ==
          15 + fs::file_size(store.entry(key_of_record("one")) / "manifest.json"));
    CHECK(entries[0].pinned_by == Names{scratch / "run"});
    CHECK(entries[0].created.substr(0, 4) == entries[0].used.substr(0, 4));
}

TEST_CASE("gc removes what no run folder links to") {
    Scratch scratch;
    Store store(scratch / "store");
    for (const char* record : {"one", "two"})
        make_entry(store, record), age(store, record, 1000);
    link_stage(store, scratch / "run", "first/student", "one");
    store.register_run(scratch / "run");

    CollectOptions dry;
    dry.dry_run = true;
    Collected would = store.collect(dry);
    CHECK(would.removed.size() == 1);
    CHECK(left(store) == Names{"one", "two"});
    Collected done = store.collect({});
    CHECK(done.bytes == would.bytes);
    CHECK(done.kept == would.kept);
    CHECK(left(store) == Names{"one"});
    fs::remove_all(scratch / "run");
    CHECK(store.collect({}).removed.size() == 1);
    CHECK(list_folder(scratch / "store/runs").empty());
    CHECK(list_folder(scratch / "store/tmp").empty());
}

TEST_CASE("a link through another name of the store pins too") {
    Scratch scratch;
    Store store(scratch / "store");
    make_entry(store, "one"), age(store, "one", 1000);
    fs::create_directory_symlink(scratch / "store", scratch / "alias");
    link_stage(Store(scratch / "alias"), scratch / "run", "student", "one");
    store.register_run(scratch / "run");
    CHECK(store.collect({}).removed.empty());
}

TEST_CASE("gc keeps what was used lately, and what fits") {
    Scratch scratch;
    Store store(scratch / "store");
    make_entry(store, "one"), age(store, "one", 3000);
    make_entry(store, "two"), age(store, "two", 2000);
    make_entry(store, "three"), age(store, "three", 1000);
    std::uint64_t each = store.entries().front().bytes;
    CollectOptions options;
    SUBCASE("--older-than") {
        options.older_than = 2500;
        store.collect(options);
        CHECK(left(store) == Names{"two", "three"});
    }
    SUBCASE("--max-size") {
        options.max_size = each + each / 2;
        Collected collected = store.collect(options);
        CHECK(left(store) == Names{"three"});
        CHECK(collected.kept <= each + 10);
    }
    SUBCASE("both") {
        options.older_than = 2500;
        options.max_size = each * 10;
        store.collect(options);
        CHECK(left(store) == Names{"two", "three"});
    }
    SUBCASE("used just now") {
        store.touch(key_of_record("one"));
        options.older_than = 2500;
        store.collect(options);
        CHECK(left(store) == Names{"one", "two", "three"});
    }
}

TEST_CASE("gc keeps what a run at work uses, linked or not yet") {
    Scratch scratch;
    Store store(scratch / "store");
    make_entry(store, "one"), age(store, "one", 100'000);
    make_entry(store, "two"), age(store, "two", 100'000);
    fs::create_directories(scratch / "run");
    Owner holder;
    std::optional<Lease> running = Lease::take(scratch / "run/lease", holder);
    store.register_run(scratch / "run");
    store.touch(key_of_record("one"));  // planned as cached
    store.collect({});
    CHECK(left(store) == Names{"one"});
    link_stage(store, scratch / "run", "student", "one");
    try {
        store.remove(key_of_record("one"));
        FAIL("removed under a run at work");
    } catch (const Error& error) {
        CHECK(error.exit_code() == kExitIntegrity);
    }
    running->release();
    store.remove(key_of_record("one"));
    CHECK(left(store).empty());
}

TEST_CASE("K8: leftovers of the dead go, those of the living stay") {
    Scratch scratch;
    Store store(scratch / "store");
    Owner holder;
    std::optional<Work> live = store.open_work(key_of_record("one"), holder);
    store.open_work(key_of_record("two"), holder);
    put(store.open_work(key_of_record("three"), holder)->state() / "step", "x");
    fs::create_directories(scratch / "run/stages/student");
    fs::create_directory_symlink(scratch.path() / "store/work" / key_of_record("three"),
                                 scratch / "run/stages/student/work");
    Owner dead = this_process();
    dead.started -= 1;
    Owner elsewhere = this_process();
    elsewhere.host = "node01";
    put(scratch.path() / "store/tmp" / temporary_name(dead) / "half", "x");
    put(scratch.path() / "store/tmp" / temporary_name(elsewhere), "x");
    put(scratch.path() / "store/tmp" / temporary_name(this_process()), "x");

    store.register_run(scratch / "run");
    CHECK(list_folder(scratch / "store/tmp").size() == 2);
    Collected collected = store.collect({});
    CHECK(collected.leftovers == 1);
    CHECK(list_folder(scratch / "store/work").size() == 2);
    CHECK(live->lease.still_mine());
    CHECK(fs::exists(scratch.path() / "store/work" / key_of_record("three") / "work/step"));
}

TEST_CASE("work in which nothing is left goes with the next run, not what is held or saved") {
    Scratch scratch;
    Store store(scratch / "store");
    fs::path work = scratch / "store/work";
    Owner holder;
    std::optional<Work> held = store.open_work(key_of_record("held"), holder);
    fs::remove(held->outputs());
    fs::remove(store.open_work(key_of_record("over"), holder)->outputs());
    put(store.open_work(key_of_record("saved"), holder)->state() / "step", "x");

    store.register_run(scratch / "run");
    CHECK(fs::exists(work / key_of_record("held") / "lease"));
    CHECK(!fs::exists(work / key_of_record("over")));
    CHECK(text_of(work / key_of_record("saved") / "work/step") == "x");
    CHECK(held->lease.still_mine());
}

TEST_CASE("verify names every damaged entry, and only those") {
    Scratch scratch;
    Store store(scratch / "store");
    make_entry(store, "one");
    make_entry(store, "two");
    CHECK(store.verify(Verify::digests).empty());
    fs::path file = store.output(key_of_record("two"), "model") / "a.txt";
    ::chmod(file.c_str(), 0644);
    put(file, "hellO");
    CHECK(store.verify(Verify::sizes).empty());
    std::vector<Damage> damage = store.verify(Verify::digests);
    REQUIRE(damage.size() == 1);
    CHECK(damage[0].key == key_of_record("two"));
}
