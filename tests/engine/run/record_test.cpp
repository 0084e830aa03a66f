#include "engine/run/record.h"

#include "engine/base/error.h"
#include "tests/engine/temporary_folder.h"

#include <doctest/doctest.h>
#include <stdlib.h>

#include <cmath>
#include <fstream>

using namespace stillroom;
namespace fs = std::filesystem;

namespace {

class Growing {
public:
    fs::path path() const { return folder_ / "rank-0000.log"; }
    void add(std::string_view text) { std::ofstream(path(), std::ios::app) << text; }

private:
    TemporaryFolder folder_;
};

Record again(const Record& record) {
    std::string line = record_line(record);
    CHECK(line.back() == '\n');
    CHECK(line.find('\n') == line.size() - 1);
    std::optional<Record> back = read_record(line);
    REQUIRE(back);
    CHECK(back->event == record.event);
    return *back;
}

Record named(const char* event) {
    Record record;
    record.event = event;
    return record;
}

}  // namespace

TEST_CASE("every kind of record reads back as it was written") {
    Record start = named("start");
    start.pid = 4242;
    start.host = "node01";
    start.rank = 3;
    start.world = 16;
    start.name = "slurm";
    Record back = again(start);
    CHECK(back.pid == 4242);
    CHECK(back.host == "node01");
    CHECK(back.rank == 3);
    CHECK(back.world == 16);
    CHECK(back.name == "slurm");
    CHECK(back.time.size() == 27);

    Record progress = named("progress");
    progress.value = 0.25;
    progress.text = "step 1 of 4";
    CHECK(again(progress).value == 0.25);
    CHECK(again(progress).text == "step 1 of 4");

    Record metric = named("metric");
    metric.name = "loss";
    metric.step = 7;
    for (double value : {2.5, -HUGE_VAL, 1e300, 0.1}) {
        metric.value = value;
        CHECK(again(metric).value == value);
    }
    metric.value = NAN;
    CHECK(std::isnan(again(metric).value));
    CHECK(again(metric).step == 7);

    Record bind = named("bind");
    bind.name = "model";
    bind.text = "/models/a b";
    bind.list = {"config.json", "x/y"};
    CHECK(again(bind).name == "model");
    CHECK(again(bind).text == "/models/a b");
    CHECK(again(bind).list == bind.list);

    Record hashed = named("hashed");
    hashed.file = {"/a/b", 12, std::string(64, 'a'), {~0ull, ~0ull - 1, 12, -5, 9}};
    CHECK(again(hashed).file.path == "/a/b");
    CHECK(again(hashed).file.size == 12);
    CHECK(again(hashed).file.digest == hashed.file.digest);
    CHECK(again(hashed).file.stamp == hashed.file.stamp);

    Record cost = named("cost");
    cost.stage = "student";
    cost.numbers = {{"memory_bytes", 6e9}, {"seconds", 1.5}};
    CHECK(again(cost).numbers == cost.numbers);
    CHECK(again(cost).stage == "student");

    Record result = named("result");
    result.exit_code = 4;
    result.text = "no space";
    result.key = "to";
    result.hint = "make some";
    result.list = {"a note"};
    result.cancelled = true;
    back = again(result);
    CHECK(!back.ok);
    CHECK(back.exit_code == 4);
    CHECK(back.text == "no space");
    CHECK(back.key == "to");
    CHECK(back.hint == "make some");
    CHECK(back.list == result.list);
    CHECK(back.cancelled);
    result.ok = true;
    CHECK(again(result).ok);
}

TEST_CASE("text that is no UTF-8, or long, is still a record") {
    Record log = named("log");
    log.text = "a\xff\xc3(\n\x1b[0m\0";
    CHECK(again(log).text == "a\uFFFD\uFFFD(\n\x1b[0m");
    log.text = std::string(1 << 20, 'x') + "\xff";
    CHECK(again(log).text == std::string(64 << 10, 'x') + "...");
    log.text.clear();
    for (int i = 0; i < 40'000; ++i)
        log.text += "é";
    CHECK(again(log).text.size() < (64u << 10) + 4);
    Record bind = named("bind");
    bind.list.assign(40'000, std::string(40, 'x'));
    CHECK_THROWS_AS(record_line(bind), Error);
}

TEST_CASE("a line that is no record is none") {
    for (const char* line : {"",
                             "{}",
                             "{",
                             "[]",
                             "null",
                             "{\"event\":1}",
                             "{\"event\":\"\"}",
                             "{\"event\":\"beat\"",
                             "{\"event\":\"beat\",\"event\":\"beat\"}",
                             "{\"event\":\"beat\"} x",
                             "{\"event\":\"\xff\"}"})
        CHECK_MESSAGE(!read_record(line), line);
    CHECK(!read_record("{\"event\":\"" + std::string(kLongestRecord, 'x') + "\"}"));
    CHECK(!read_record("{\"event\":" + std::string(100'000, '[')));
    CHECK(read_record("{\"event\":\"of tomorrow\",\"x\":[{}]}"));
}

TEST_CASE("fields of another type count as absent") {
    auto record = read_record(
        R"({"event":"result","ok":"yes","exit":1e300,"message":[],"notes":{"a":1},"ts":5})");
    REQUIRE(record);
    CHECK(!record->ok);
    CHECK(record->exit_code == 0);
    CHECK(record->text.empty());
    CHECK(record->list.empty());
    record = read_record(R"({"event":"hashed","path":"x","size":-1,"stamp":["1","2","3","4"]})");
    REQUIRE(record);
    CHECK(record->file.stamp == FileStamp{});
}

TEST_CASE("a follower gives each whole line once, a torn one when it is whole") {
    Growing file;
    RecordFollower follower(file.path());
    CHECK(follower.poll().empty());
    file.add(R"({"event":"beat"})");
    CHECK(follower.poll().empty());
    file.add("\n{\"event\":\"sa");
    CHECK(follower.poll().size() == 1);
    CHECK(follower.poll().empty());
    file.add("ved\"}\n\n");
    std::vector<Record> records = follower.poll();
    REQUIRE(records.size() == 1);
    CHECK(records[0].event == "saved");
    CHECK(follower.skipped() == 0);
}

TEST_CASE("a follower begins behind an earlier try, whose last line may be torn") {
    Growing file;
    file.add("{\"event\":\"result\",\"ok\":true}\n{\"event\":\"be");
    RecordFollower follower(file.path(), fs::file_size(file.path()));
    file.add("\n{\"event\":\"start\"}\n");
    std::vector<Record> records = follower.poll();
    REQUIRE(records.size() == 1);
    CHECK(records[0].event == "start");
}

TEST_CASE("hostile lines are skipped and cost no more than their limit") {
    Growing file;
    RecordFollower follower(file.path());
    file.add(std::string(3 << 20, 'x') + "\n{\"event\":\"beat\"}\n");
    file.add(std::string(1000, '\0') + "\n\xff\n[[[[\n{\"event\":\"beat\"}\n");
    CHECK(follower.poll().size() == 2);
    CHECK(follower.skipped() == 4);
    // A line that never ends is not kept either.
    for (int i = 0; i < 8; ++i) {
        file.add(std::string(1 << 20, 'y'));
        CHECK(follower.poll().empty());
    }
    CHECK(follower.skipped() == 5);
    file.add("\n{\"event\":\"saved\"}\n");
    CHECK(follower.poll().size() == 1);
}
