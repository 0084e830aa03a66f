#include "engine/run/crew.h"

#include <doctest/doctest.h>

#include <atomic>
#include <chrono>
#include <set>

using namespace stillroom;

TEST_CASE("a crew gives every result, from no more threads than it may have") {
    std::atomic<int> rung{0};
    Crew crew(3, [&] { ++rung; });
    std::mutex mutex;
    std::set<std::thread::id> threads;
    std::vector<std::future<int>> results;
    for (int i = 0; i < 100; ++i)
        results.push_back(crew.run([&, i] {
            std::lock_guard lock(mutex);
            threads.insert(std::this_thread::get_id());
            return i;
        }));
    for (int i = 0; i < 100; ++i)
        CHECK(results[static_cast<std::size_t>(i)].get() == i);
    CHECK(threads.size() <= 3);
    CHECK(!threads.contains(std::this_thread::get_id()));
}

TEST_CASE("a crew's result can be had when it says so, a failure too") {
    std::promise<void> said;
    Crew crew(1, [&] { said.set_value(); });
    std::future<int> result = crew.run([]() -> int { throw 7; });
    said.get_future().wait();
    CHECK(result.wait_for(std::chrono::seconds(0)) == std::future_status::ready);
    CHECK_THROWS_AS(result.get(), int);
}

TEST_CASE("a crew that goes waits for what it has begun") {
    std::promise<void> begun;
    std::atomic<bool> done = false;
    {
        Crew crew(1, [] {});
        crew.run([&] {
            begun.set_value();
            std::this_thread::sleep_for(std::chrono::milliseconds(20));
            done = true;
        });
        begun.get_future().wait();
    }
    CHECK(done);
}
