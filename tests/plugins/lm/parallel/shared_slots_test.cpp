#include "plugins/lm/parallel/shared_slots.h"

#include "engine/base/text.h"

#include <doctest/doctest.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <barrier>
#include <cstring>
#include <functional>
#include <stdexcept>
#include <string>
#include <thread>

using namespace std::chrono_literals;
using stillroom::lm::SharedSlots;

namespace {

constexpr int kRanks = 3;

/// What rank 1 says in place of a word of where its memory is.
struct Lie {
    std::size_t word;
    std::string text;
};

/// Each rank on a thread.
void meet_all(const std::function<void(int rank, std::unique_ptr<SharedSlots>)>& act,
              const Lie* lie = nullptr) {
    std::barrier all(kRanks);
    std::vector<std::string> texts(kRanks);
    std::vector<std::thread> threads;
    for (int rank = 0; rank < kRanks; rank++)
        threads.emplace_back([&, rank] {
            auto exchange = [&](const std::string& mine) {
                std::vector<std::string> words = stillroom::split(mine, ' ');
                if (lie != nullptr && rank == 1 && words.size() == 4)
                    words[lie->word] = lie->text;
                all.arrive_and_wait();
                texts[static_cast<std::size_t>(rank)] = fmt::format("{}", fmt::join(words, " "));
                all.arrive_and_wait();
                return texts;
            };
            act(rank, SharedSlots::meet(rank, 2s, exchange));
        });
    for (std::thread& thread : threads)
        thread.join();
}

void say(SharedSlots& slots, std::uint32_t number) {
    std::memcpy(slots.own(), &number, sizeof number);
    slots.say();
}

std::uint32_t heard(const SharedSlots& slots, int rank) {
    std::uint32_t number = 0;
    std::memcpy(&number, slots.of(rank), sizeof number);
    return number;
}

}  // namespace

TEST_CASE("everybody hears what all say, round by round, however long one takes") {
    std::array<int, kRanks> wrong{};
    meet_all([&](int rank, std::unique_ptr<SharedSlots> slots) {
        for (std::uint32_t round = 0; round < 2000; round++) {
            if (round % 700 == 0 && rank == 1)
                std::this_thread::sleep_for(250ms);  // the others sleep, and are woken
            say(*slots, round * kRanks + static_cast<std::uint32_t>(rank));
            for (int other = 0; other < kRanks; other++)
                if (heard(*slots, other) != round * kRanks + static_cast<std::uint32_t>(other))
                    wrong[static_cast<std::size_t>(rank)]++;
        }
    });
    CHECK(wrong == std::array<int, kRanks>{});
}

TEST_CASE("what a rank said last is there when it has gone; what it did not say is missed") {
    std::array<std::string, kRanks> why;
    meet_all([&](int rank, std::unique_ptr<SharedSlots> slots) {
        say(*slots, 7);
        if (rank == 2)
            return;
        std::this_thread::sleep_for(50ms);
        CHECK(heard(*slots, 2) == 7);
        say(*slots, 8);
        CHECK(heard(*slots, 1 - rank) == 8);
        try {
            slots->of(2);
        } catch (const std::runtime_error& problem) {
            why[static_cast<std::size_t>(rank)] = problem.what();
        }
    });
    for (std::size_t rank : {0, 1})
        CHECK(why[rank] == "a rank has left the memory that the ranks share");
}

TEST_CASE("nobody waits longer than the deadline") {
    std::string why;
    meet_all([&](int rank, std::unique_ptr<SharedSlots> slots) {
        if (rank > 0) {
            std::this_thread::sleep_for(2500ms);
            return;
        }
        say(*slots, 1);
        try {
            slots->of(1);
        } catch (const std::runtime_error& problem) {
            why = problem.what();
        }
    });
    CHECK(why == "nothing came by the memory that the ranks share");
}

TEST_CASE("no rank shares memory where one cannot") {
    const std::string other_file(32, 'f');  // of a process with that number
    for (const Lie& lie :
         {Lie{0, "another-host"}, Lie{1, "999999999"}, Lie{2, "9999"}, Lie{3, other_file}}) {
        CAPTURE(lie.text);
        std::array<bool, kRanks> shares{};
        meet_all(
            [&](int rank, std::unique_ptr<SharedSlots> slots) {
                shares[static_cast<std::size_t>(rank)] = slots != nullptr;
            },
            &lie);
        CHECK(shares == std::array<bool, kRanks>{});
    }
}
