#include "engine/run/scheduler.h"

#include <doctest/doctest.h>

#include <string>

using namespace stillroom;
using std::chrono::seconds;

namespace {

const Moment kStart{};

Task task(std::string name, std::vector<std::size_t> before = {}, bool compute = false) {
    Task one;
    one.name = std::move(name);
    one.before = std::move(before);
    one.needs.compute = compute;
    return one;
}

/// Names of all tasks that can begin now, in order.
std::string begin_all(Scheduler& scheduler, Moment now = kStart) {
    std::string names;
    while (auto index = scheduler.next(now))
        names += scheduler.task(*index).name + " ";
    return names;
}

}  // namespace

TEST_CASE("what stands before ends before") {
    Scheduler scheduler({task("a"), task("b", {0}), task("c", {0, 1})}, {4}, false);
    CHECK(begin_all(scheduler) == "a ");
    scheduler.done(0);
    CHECK(begin_all(scheduler) == "b ");
    scheduler.done(1);
    CHECK(begin_all(scheduler) == "c ");
    scheduler.done(2);
    CHECK(scheduler.finished());
}

TEST_CASE("of ready tasks the first written begins first, whatever became ready first") {
    Scheduler scheduler({task("late", {2}), task("b"), task("a")}, {1}, false);
    CHECK(begin_all(scheduler) == "b ");
    scheduler.done(1);
    CHECK(begin_all(scheduler) == "a ");
    scheduler.done(2);
    CHECK(begin_all(scheduler) == "late ");
}

TEST_CASE("tasks run beside each other as far as there are cores") {
    Scheduler scheduler({task("a"), task("b"), task("c")}, {2}, false);
    CHECK(begin_all(scheduler) == "a b ");
    scheduler.done(1);
    CHECK(begin_all(scheduler) == "c ");
}

TEST_CASE("a task that rests gives its place up, and nothing after it begins") {
    Scheduler scheduler(
        {task("a", {}, true), task("b", {0}, true), task("c", {}, true)}, {2}, false);
    CHECK(begin_all(scheduler) == "a ");
    scheduler.rests(0);
    CHECK(scheduler.state(0) == TaskState::running);
    CHECK(begin_all(scheduler) == "c ");
    scheduler.done(0);
    CHECK(begin_all(scheduler) == "");  // c has the cores: a did not give them up twice
    scheduler.done(2);
    CHECK(begin_all(scheduler) == "b ");
}

TEST_CASE("one compute task has the cores, io tasks run beside it") {
    Scheduler scheduler(
        {task("train", {}, true), task("prune", {}, true), task("copy")}, {2}, false);
    CHECK(begin_all(scheduler) == "train copy ");
    scheduler.done(0);
    CHECK(begin_all(scheduler) == "prune ");
}

TEST_CASE("of brief tasks one more is at work than there are cores, beside the others") {
    std::vector<Task> tasks{task("a"), task("b"), task("c"), task("d"), task("e"), task("copy")};
    for (std::size_t i = 0; i < 5; ++i)
        tasks[i].needs.brief = true;
    Scheduler scheduler(tasks, {2}, false);
    CHECK(begin_all(scheduler) == "a b c copy ");
    scheduler.rests(1);
    CHECK(begin_all(scheduler) == "d ");
}

TEST_CASE("compute tasks on devices take devices, not the cores") {
    Task both = task("both", {}, true);
    both.needs.devices = 2;
    Task one = task("one", {}, true);
    one.needs.devices = 1;
    Task second = task("second", {}, true);
    second.needs.device = 1;
    Scheduler scheduler({one, second, both, task("cpu", {}, true)}, {2, 2, 0}, false);
    CHECK(begin_all(scheduler) == "one second cpu ");
    scheduler.done(0);
    CHECK(begin_all(scheduler) == "");
    scheduler.done(1);
    CHECK(begin_all(scheduler) == "both ");
}

TEST_CASE("more devices than there are is all of them") {
    Task wide = task("wide", {}, true);
    wide.needs.devices = 8;
    Scheduler scheduler({wide}, {2, 2, 0}, false);
    CHECK(begin_all(scheduler) == "wide ");
}

TEST_CASE("memory is not promised twice, and what is too large runs alone") {
    Task a = task("a"), b = task("b"), huge = task("huge");
    a.needs.memory = 6;
    b.needs.memory = 5;
    huge.needs.memory = 100;
    Scheduler scheduler({a, b, huge}, {4, 0, 10}, false);
    CHECK(begin_all(scheduler) == "a ");
    scheduler.done(0);
    CHECK(begin_all(scheduler) == "b ");
    scheduler.done(1);
    CHECK(begin_all(scheduler) == "huge ");
}

TEST_CASE("a failure skips what follows it, and without keep-going all that has not begun") {
    std::vector<Task> tasks{task("a"), task("b", {0}), task("c", {1}), task("d"), task("e")};
    SUBCASE("keep going") {
        Scheduler scheduler(tasks, {1}, true);
        CHECK(begin_all(scheduler) == "a ");
        scheduler.failed(0, kStart, true);
        CHECK(scheduler.state(2) == TaskState::skipped);
        CHECK(scheduler.skipped_because(2) == "a failed");
        CHECK(begin_all(scheduler) == "d ");
    }
    SUBCASE("stop") {
        Scheduler scheduler(tasks, {2}, false);
        CHECK(begin_all(scheduler) == "a d ");
        scheduler.failed(0, kStart, true);
        CHECK(scheduler.state(4) == TaskState::skipped);
        CHECK_FALSE(scheduler.finished());
        scheduler.postpone(3, kStart);  // it waited for somebody else's work
        CHECK(scheduler.finished());
    }
}

TEST_CASE("a failure in one group leaves the others alone") {
    Task other = task("other");
    other.group = 1;
    Scheduler scheduler({task("a"), task("same"), other}, {1}, false);
    CHECK(begin_all(scheduler) == "a ");
    scheduler.failed(0, kStart, false);
    CHECK(begin_all(scheduler) == "other ");
}

TEST_CASE("another try waits 1 s, then 2 s, and no longer than a minute") {
    Task stubborn = task("a");
    stubborn.retries = 9;
    Scheduler scheduler({stubborn}, {1}, false);
    Moment now = kStart;
    for (int delay : {1, 2, 4, 8, 16, 32, 60, 60, 60}) {
        REQUIRE(begin_all(scheduler, now) == "a ");
        scheduler.failed(0, now, true);
        CHECK(*scheduler.wake() == now + seconds(delay));
        CHECK(begin_all(scheduler, now + seconds(delay) - std::chrono::milliseconds(1)) == "");
        now += seconds(delay);
    }
    CHECK(begin_all(scheduler, now) == "a ");
    CHECK(scheduler.tries(0) == 10);
    scheduler.failed(0, now, true);
    CHECK(scheduler.state(0) == TaskState::failed);
    CHECK(scheduler.finished());
}

TEST_CASE("a refusal is not tried again") {
    Task stubborn = task("a");
    stubborn.retries = 3;
    Scheduler scheduler({stubborn}, {1}, false);
    begin_all(scheduler);
    scheduler.failed(0, kStart, false);
    CHECK(scheduler.finished());
}

TEST_CASE("a postponed task gives way and is no failed try") {
    Scheduler scheduler({task("a"), task("b")}, {1}, false);
    CHECK(begin_all(scheduler) == "a ");
    scheduler.postpone(0, kStart + seconds(1));
    CHECK(begin_all(scheduler) == "b ");
    scheduler.done(1);
    CHECK(begin_all(scheduler) == "");
    CHECK(begin_all(scheduler, kStart + seconds(1)) == "a ");
    CHECK(scheduler.tries(0) == 1);
}

TEST_CASE("after stop nothing begins, and what ran may end") {
    Scheduler scheduler({task("a"), task("b", {0}), task("c")}, {1}, true);
    begin_all(scheduler);
    scheduler.stop();
    CHECK(begin_all(scheduler, kStart + seconds(100)) == "");
    CHECK_FALSE(scheduler.finished());
    scheduler.done(0);
    CHECK(scheduler.finished());
    CHECK(scheduler.state(1) == TaskState::skipped);
}
