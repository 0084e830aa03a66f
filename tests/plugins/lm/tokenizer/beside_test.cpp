#include "plugins/lm/tokenizer/beside.h"

#include <doctest/doctest.h>
#include <sched.h>

#include <atomic>
#include <semaphore>
#include <stdexcept>
#include <string>
#include <thread>

using namespace stillroom::lm;

namespace {

cpu_set_t allowed() {
    cpu_set_t out;
    CPU_ZERO(&out);
    REQUIRE(::sched_getaffinity(0, sizeof out, &out) == 0);
    return out;
}

}  // namespace

TEST_CASE("what another thread makes comes back, and what it throws") {
    std::thread::id here = std::this_thread::get_id();
    for (bool worth : {true, false}) {
        CAPTURE(worth);
        Beside<std::string> made = beside([] { return std::string("made"); }, worth);
        CHECK(made.valid());
        CHECK(made.get() == "made");
        CHECK_FALSE(made.valid());
        Beside<bool> other = beside([&] { return std::this_thread::get_id() != here; }, worth);
        CHECK(other.get() == worth);
        Beside<int> failing = beside([]() -> int { throw std::runtime_error("no"); }, worth);
        CHECK_THROWS_AS(failing.get(), std::runtime_error);
    }
}

TEST_CASE("who drops it waits for the work") {
    std::atomic<bool> ended = false;
    std::binary_semaphore go(0);
    {
        Beside<void> dropped = beside([&] {
            go.acquire();
            ended = true;
        });
        go.release();
    }
    CHECK(ended);
}

TEST_CASE("a thread that began elsewhere may go where its maker may, be that one processor") {
    cpu_set_t all = allowed();
    Beside<cpu_set_t> other = beside(allowed);
    cpu_set_t its = other.get();
    CHECK(CPU_EQUAL(&its, &all));
    // Of a thread of its own, as this one goes on with all.
    std::thread([] {
        cpu_set_t one;
        CPU_ZERO(&one);
        CPU_SET(::sched_getcpu(), &one);
        CHECK(::sched_setaffinity(0, sizeof one, &one) == 0);
        cpu_set_t found = beside(allowed).get();
        CHECK(CPU_EQUAL(&found, &one));
    }).join();
}
