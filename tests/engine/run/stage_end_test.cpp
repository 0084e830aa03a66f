#include "engine/run/stage_end.h"

#include "engine/base/error.h"
#include "tests/engine/temporary_folder.h"

#include <doctest/doctest.h>
#include <signal.h>
#include <stdlib.h>

#include <fstream>

using namespace stillroom;

namespace {

std::string at(int milliseconds) {
    char text[40];
    std::snprintf(text,
                  sizeof text,
                  "2026-01-01T00:00:%02d.%03d000Z",
                  milliseconds / 1000,
                  milliseconds % 1000);
    return text;
}

RankFacts rank(int number) {
    RankFacts facts;
    facts.rank = number;
    facts.started = true;
    facts.log = "rank-" + std::to_string(number);
    return facts;
}

RankFacts failed(int number, int exit_code, int time, const char* message = "it failed") {
    RankFacts facts = rank(number);
    Record result;
    result.event = "result";
    result.exit_code = exit_code;
    result.text = message;
    result.time = at(time);
    facts.result = result;
    Exit exit;
    exit.status = exit_code;
    exit.time = at(time + 5);
    facts.exit = exit;
    return facts;
}

RankFacts well(int number) {
    RankFacts facts = failed(number, 0, 0, "");
    facts.result->ok = true;
    return facts;
}

RankFacts killed_by(int number, int signal, int time) {
    RankFacts facts = rank(number);
    Exit exit;
    exit.signal = signal;
    exit.time = at(time);
    facts.exit = exit;
    return facts;
}

RankFacts exited(int number, int status) {
    RankFacts facts = killed_by(number, 0, 1000);
    facts.exit->status = status;
    return facts;
}

StageEnd end(const std::vector<RankFacts>& ranks) {
    return decide_end("student", ranks);
}

}  // namespace

TEST_CASE("a stage whose ranks all ended well ended well") {
    CHECK(end({well(0)}).exit_code == 0);
    CHECK(end({well(0), well(1)}).exit_code == 0);
}

TEST_CASE("a result keeps its code, setting, hint and notes") {
    RankFacts facts = failed(0, 3, 0, "no such tensor");
    facts.result->key = "target.params";
    facts.result->hint = "try another";
    facts.result->list = {"a note"};
    StageEnd ended = end({facts});
    CHECK(ended.exit_code == 3);
    CHECK(ended.message == "no such tensor");
    CHECK(ended.key == "target.params");
    CHECK(ended.hint == "try another");
    CHECK(ended.notes == std::vector<std::string>{"a note"});
    CHECK(ended.log == "rank-0");
}

TEST_CASE("how a process without a result ended decides its code") {
    for (int signal : {SIGSEGV, SIGABRT, SIGBUS, SIGILL, SIGFPE})
        CHECK(end({killed_by(0, signal, 0)}).exit_code == 70);
    CHECK(end({killed_by(0, SIGKILL, 0)}).exit_code == 7);
    CHECK(end({killed_by(0, SIGTERM, 0)}).exit_code == 7);
    CHECK(end({exited(0, 0)}).exit_code == 70);
    CHECK(end({exited(0, 3)}).exit_code == 70);
    CHECK(end({exited(0, 3)}).message == "stage 'student' ended without a result, with status 3");
    RankFacts facts = killed_by(0, SIGKILL, 0);
    facts.out_of_memory = true;
    CHECK(end({facts}).exit_code == 4);
    facts.killed = true;
    CHECK(end({facts}).exit_code == 130);
    facts = killed_by(0, SIGKILL, 0);
    facts.silent = 2.5;
    CHECK(end({facts}).exit_code == 7);
    CHECK(end({facts}).message == "stage 'student' gave no sign of life for 2.5 s");
}

TEST_CASE("a worker that could not begin is heard by what it printed") {
    RankFacts facts = exited(0, 9);
    facts.started = false;
    facts.last_words = {"error: job.json is damaged", "hint: write it again"};
    StageEnd ended = end({facts});
    CHECK(ended.exit_code == 9);
    CHECK(ended.message == "job.json is damaged");
    CHECK(ended.hint == "write it again");
    facts = exited(0, 74);
    facts.last_words = {"error: cannot write x: No space left on device"};
    CHECK(end({facts}).exit_code == 4);
    CHECK(end({facts}).message == "cannot write x: No space left on device");
}

TEST_CASE("the earliest failure decides, and the others are notes") {
    StageEnd ended = end({failed(0, 1, 2000, "later"), failed(1, 3, 1000, "first"), well(2)});
    CHECK(ended.exit_code == 3);
    CHECK(ended.rank == 1);
    CHECK(ended.log == "rank-1");
    CHECK(ended.notes == std::vector<std::string>{"rank 0: later"});
}

TEST_CASE("a survivor's 7 never hides the cause, even if it was written first") {
    for (int code : {1, 3, 4, 6, 9, 70})
        CHECK(end({failed(0, 7, 10, "rank 1 is gone"), failed(1, code, 500)}).exit_code == code);
    StageEnd ended = end({failed(0, 7, 10, "connection closed"), killed_by(1, SIGSEGV, 500)});
    CHECK(ended.exit_code == 70);
    CHECK(ended.message == "rank 1 of stage 'student' crashed with SIGSEGV");
    CHECK(ended.notes == std::vector<std::string>{"rank 0: connection closed"});
    ended = end({failed(0, 7, 10, "connection closed"), killed_by(1, SIGKILL, 500)});
    CHECK(ended.exit_code == 7);
    CHECK(ended.rank == 1);
    CHECK(end({failed(0, 7, 10), failed(1, 7, 5)}).rank == 1);
}

TEST_CASE("a crash is older than what another rank says of it a moment before it is seen") {
    StageEnd ended = end({failed(0, 1, 1000, "connection reset"), killed_by(1, SIGKILL, 1100)});
    CHECK(ended.exit_code == 7);
    CHECK(ended.rank == 1);
    CHECK(end({failed(0, 1, 1000), killed_by(1, SIGKILL, 3000)}).rank == 0);
}

TEST_CASE("who was told to end because of another is no cause") {
    RankFacts told = killed_by(0, SIGKILL, 10);
    told.told_to_end = true;
    CHECK(end({told, failed(1, 7, 500)}).rank == 1);
    CHECK(end({told, failed(1, 7, 500)}).notes.empty());
}

TEST_CASE("P5: a rank with another plugin fails the stage, however well it ended itself") {
    RankFacts other = well(1);
    other.foreign = "opened another build of plugin 'toy' than the other ranks";
    other.told_to_end = true;
    StageEnd end = decide_end("a", {well(0), other});
    CHECK(end.exit_code == kExitIntegrity);
    CHECK(end.message ==
          "rank 1 of stage 'a' opened another build of plugin 'toy' than the other ranks");
}

TEST_CASE("a stage that was stopped says whether its work was saved") {
    RankFacts stopped = well(0);
    stopped.result->cancelled = true;
    CHECK(end({stopped}).exit_code == 130);
    CHECK(end({stopped, well(1)}).exit_code == 130);
    stopped.saved = true;
    CHECK(end({stopped}).exit_code == 75);
    RankFacts saved = well(0);
    saved.saved = true;  // on its way, and then it came to its end
    CHECK(end({saved}).exit_code == 0);
    CHECK(end({stopped, failed(1, 4, 0)}).exit_code == 4);
}

TEST_CASE("ranks that a launcher held are gone, or never began") {
    RankFacts gone = rank(0), never = rank(1);
    gone.host = "node02";
    never.started = false;
    Exit launcher;
    launcher.status = 137;
    launcher.time = at(100);
    StageEnd ended = decide_end("student", {gone, never}, launcher);
    CHECK(ended.exit_code == 7);
    CHECK(ended.message == "rank 0 on node02 of stage 'student' is gone");
    CHECK(ended.notes == std::vector<std::string>{"the launcher ended with status 137",
                                                  "rank 1: rank 1 of stage 'student' never began"});
    Record result = *failed(1, 3, 0, "bad input").result;
    never.result = result;
    CHECK(decide_end("student", {gone, never}, launcher).exit_code == 3);
}

TEST_CASE("the last lines of a file are those of this try, whole characters, and few") {
    TemporaryFolder folder;
    std::filesystem::path file = folder / "out";
    CHECK(last_lines(file, 0).empty());
    std::ofstream(file) << "an earlier try\n";
    auto from = std::filesystem::file_size(file);
    CHECK(last_lines(file, from).empty());
    std::ofstream(file, std::ios::app) << "\n  one\n\n"
                                       << "two\xff\n";
    CHECK(last_lines(file, from) == std::vector<std::string>{"one", "two"});
    std::ofstream(file, std::ios::app) << std::string(1 << 20, 'x') << "\n1\n2\n3\n4\n5\n6";
    CHECK(last_lines(file, from) == std::vector<std::string>{"2", "3", "4", "5", "6"});
}
