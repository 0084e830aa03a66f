#include "engine/run/decisions.h"

#include "engine/base/error.h"
#include "engine/base/host.h"
#include "engine/run/inject.h"
#include "tests/engine/run/toy_fixture.h"

#include <doctest/doctest.h>

#include <fstream>
#include <thread>

using namespace stillroom;
using stillroom::test::Scratch;

namespace {

std::string never() {
    FAIL("it was decided already");
    return {};
}

}  // namespace

TEST_CASE("what was decided once stays so when the work goes on") {
    Scratch scratch;
    {
        Decisions first(scratch.path(), 0, 2, 1);
        CHECK(first.decided("device", [] { return "cpu"; }) == "cpu");
        CHECK(first.decided("precision", [] { return "bf16"; }) == "bf16");
        CHECK(first.decided("device", never) == "cpu");
    }
    Decisions again(scratch.path(), 0, 2, 1);
    CHECK(again.decided("device", never) == "cpu");
    CHECK(again.decided("precision", never) == "bf16");
    CHECK(again.compare(machine_class()).empty());
    CHECK_THROWS_AS(again.compare("another"), Error);
}

TEST_CASE("the other ranks take what rank 0 decides, and do not wait for ever") {
    Scratch scratch;
    Decisions zero(scratch.path(), 0, 1, 1), one(scratch.path(), 1, 1, 60);
    std::string taken;
    std::thread other([&] { taken = one.decided("device", never); });
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    zero.decided("device", [] { return "cuda"; });
    other.join();
    CHECK(taken == "cuda");
    Decisions two(scratch.path(), 2, 1, 0.05);
    try {
        two.decided("precision", never);
        FAIL("it waited for nothing");
    } catch (const Error& error) {
        CHECK(error.exit_code() == 7);
    }
}

TEST_CASE("a stage without work leaves no file, a damaged file is refused") {
    Scratch scratch;
    Decisions decisions(scratch.path(), 0, 1, 1);
    CHECK(decisions.compare(machine_class()).empty());
    CHECK(std::filesystem::is_empty(scratch.path()));
    decisions.begin();
    CHECK(!std::filesystem::is_empty(scratch.path()));
    for (const char* text : {"", "{", "[]", "{\"machine\": 1}"}) {
        std::ofstream(scratch.path() / "decided.json") << text;
        CHECK_THROWS_AS(Decisions(scratch.path(), 0, 1, 1).compare(machine_class()), Error);
    }
}

TEST_CASE("a number is spoilt once, on the rank that is meant") {
    Faults faults({"1:nan-loss", "2:nan-grad:3", "1:nan-grad:0"}, 3, [] {});
    CHECK(!faults.spoils("loss"));
    faults.step();
    faults.step();
    CHECK(faults.spoils("loss"));
    CHECK(!faults.spoils("loss"));
    CHECK(!faults.spoils("gradient"));
    faults.step();
    CHECK(faults.spoils("gradient"));
    CHECK(!faults.spoils("gradient"));
}

TEST_CASE("a fault is a step, a kind and perhaps a rank") {
    Fault fault = read_fault("12:slow-io:3");
    CHECK(fault.step == 12);
    CHECK(fault.kind == Fault::Kind::slow_io);
    CHECK(fault.rank == 3);
    CHECK(read_fault("0:abort").rank == -1);
    for (const char* text : {"",
                             "abort",
                             "1:",
                             ":abort",
                             "1:melt",
                             "-1:abort",
                             "1:abort:x",
                             "1:abort:-1",
                             "1:abort:1:1",
                             "1.5:abort",
                             "99999999999999999999:abort"})
        CHECK_THROWS_AS(read_fault(text), Error);
}
