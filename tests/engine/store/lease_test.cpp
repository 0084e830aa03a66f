#include "engine/store/lease.h"

#include "engine/base/error.h"
#include "tests/engine/store/scratch.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>

#include <atomic>
#include <thread>
#include <vector>

using namespace stillroom;
namespace fs = std::filesystem;

namespace {

/// The text of a lease somebody else left.
std::string lease_of(const Owner& owner, const std::string& beat = "1") {
    return "{\"host\":\"" + owner.host + "\",\"boot\":\"" + owner.boot +
           "\",\"pid\":" + std::to_string(owner.pid) +
           ",\"started\":" + std::to_string(owner.started) + ",\"nonce\":\"" + owner.nonce +
           "\",\"since\":\"2026-01-01T00:00:00Z\",\"beat\":\"" + beat + "\",\"state\":\"held\"}";
}

/// A process that has ended.
long dead_pid() {
    pid_t child = ::fork();
    if (child == 0)
        ::_exit(0);
    ::waitpid(child, nullptr, 0);
    return child;
}

}  // namespace

TEST_CASE("a lease has one holder, and who it is can be told") {
    Scratch scratch;
    Owner holder;
    std::optional<Lease> mine = Lease::take(scratch / "lease", holder);
    REQUIRE(mine);
    CHECK(mine->still_mine());
    CHECK(!Lease::take(scratch / "lease", holder));
    CHECK(holder.pid == ::getpid());
    CHECK(holder.nonce == mine->owner().nonce);
    CHECK(describe(holder) == "process " + std::to_string(::getpid()) + " on " + holder.host);
    REQUIRE(Lease::holder(scratch / "lease"));
    CHECK(Lease::holder(scratch / "lease")->nonce == holder.nonce);

    mine->release();
    CHECK(!mine->still_mine());
    CHECK(!Lease::holder(scratch / "lease"));
    std::optional<Lease> next = Lease::take(scratch / "lease", holder);
    REQUIRE(next);
    CHECK(list_folder(scratch.path()) == std::vector<std::string>{"lease.2"});
}

TEST_CASE("C-8: the lease of a process that is gone is taken over at once") {
    Scratch scratch;
    Owner holder;
    Owner dead = this_process();
    SUBCASE("its pid is free") {
        dead.pid = dead_pid();
    }
    SUBCASE("its pid was used again") {
        dead.started -= 1;
    }
    SUBCASE("the host was started again") {
        dead.boot = "00000000-0000-0000-0000-000000000000.1";
    }
    put(scratch / "lease", lease_of(dead));
    CHECK(!Lease::holder(scratch / "lease"));
    std::optional<Lease> mine = Lease::take(scratch / "lease", holder);
    REQUIRE(mine);
    CHECK(mine->still_mine());
    CHECK(list_folder(scratch.path()) == std::vector<std::string>{"lease.2"});
}

TEST_CASE("a lease that cannot be judged is held, and watched") {
    Scratch scratch;
    Owner holder;
    Owner other = this_process();
    SUBCASE("of another host") {
        other.host = "node01";
        put(scratch / "lease", lease_of(other));
    }
    SUBCASE("of another container of this host") {
        other.boot = other.boot.substr(0, other.boot.find('.')) + ".1";
        put(scratch / "lease", lease_of(other));
    }
    SUBCASE("of one who has not written it yet") {
        put(scratch / "lease", "");
    }
    SUBCASE("of one who wrote something else") {
        put(scratch / "lease", "{\"pid\":-1, \"pid\": 7}");
    }
    CHECK(!Lease::take(scratch / "lease", holder));
    CHECK(Lease::holder(scratch / "lease"));
}

TEST_CASE("whoever finds a higher number, or another file under his own, has lost the lease") {
    Scratch scratch;
    Owner holder;
    std::optional<Lease> mine = Lease::take(scratch / "lease", holder);
    std::string there = text_of(scratch / "lease");
    SUBCASE("a higher number") {
        put(scratch / "lease.2", "");
    }
    SUBCASE("another file") {
        Owner other = this_process();
        fs::remove(scratch / "lease");
        put(scratch / "lease", lease_of(other));
        there = lease_of(other);
    }
    CHECK(!mine->still_mine());
    mine->release();
    bool untouched = text_of(scratch / "lease") == there || fs::exists(scratch / "lease.2");
    CHECK(untouched);
}

TEST_CASE("of many takers of a dead lease one gets it") {
    for (int round = 0; round < 20; ++round) {
        Scratch scratch;
        Owner dead = this_process();
        dead.started -= 1;
        put(scratch / "lease", lease_of(dead));
        std::atomic<int> got = 0;
        std::atomic<int> ready = 0;
        std::vector<std::thread> takers;
        std::vector<std::optional<Lease>> leases(8);
        for (int i = 0; i < 8; ++i)
            takers.emplace_back([&, i] {
                Owner holder;
                ++ready;
                while (ready < 8)
                    std::this_thread::yield();
                leases[i] = Lease::take(scratch / "lease", holder);
                got += leases[i].has_value();
            });
        for (std::thread& taker : takers)
            taker.join();
        CHECK(got == 1);
        for (const std::optional<Lease>& lease : leases)
            if (lease)
                CHECK(lease->still_mine());
        CHECK(list_folder(scratch.path()) == std::vector<std::string>{"lease.2"});
    }
}

TEST_CASE("two who take and let go in turn are never both in") {
    Scratch scratch;
    std::atomic<int> inside = 0;
    std::atomic<int> most = 0;
    std::atomic<int> turns = 0;
    std::vector<std::thread> takers;
    for (int i = 0; i < 4; ++i)
        takers.emplace_back([&] {
            Owner holder;
            while (turns < 200) {
                std::optional<Lease> lease = Lease::take(scratch / "lease", holder);
                if (!lease)
                    continue;
                int now = ++inside;
                most = std::max(most.load(), now);
                ++turns;
                if (!lease->still_mine())
                    most = 99;
                --inside;
            }
        });
    for (std::thread& taker : takers)
        taker.join();
    CHECK(most == 1);
    CHECK(list_folder(scratch.path()).size() == 1);
}

TEST_CASE("the lease of a process that was killed can be taken by the next") {
    Scratch scratch;
    pid_t child = ::fork();
    if (child == 0) {
        Owner holder;
        std::optional<Lease> lease = Lease::take(scratch / "lease", holder);
        ::kill(::getpid(), SIGKILL);
    }
    ::waitpid(child, nullptr, 0);
    Owner holder;
    CHECK(fs::exists(scratch / "lease"));
    CHECK(Lease::take(scratch / "lease", holder));
}

TEST_CASE("a holder that stops beating loses the lease, one that beats keeps it") {
    // The one test that waits: 20 seconds of beats are too long, so the life is looked at from the
    // other end: the file must change.
    Scratch scratch;
    Owner holder;
    std::optional<Lease> mine = Lease::take(scratch / "lease", holder);
    std::string before = text_of(scratch / "lease");
    for (int i = 0; i < 1200 && text_of(scratch / "lease") == before; ++i)
        ::usleep(50'000);
    CHECK(text_of(scratch / "lease") != before);
    CHECK(text_of(scratch / "lease").size() == before.size());
    CHECK(mine->still_mine());
}

TEST_CASE("what a taker left who died while he took it goes") {
    Scratch scratch;
    Owner dead = this_process();
    dead.pid = dead_pid();
    Owner other = this_process();
    other.host = "node01";
    put(scratch / (".lease~" + temporary_name(dead)), "x");
    put(scratch / (".lease~" + temporary_name(other)), "x");
    Owner holder;
    std::optional<Lease> mine = Lease::take(scratch / "lease", holder);
    CHECK(list_folder(scratch.path()) ==
          std::vector<std::string>{".lease~" + temporary_name(other), "lease"});
}
