#include "plugins/lm/parallel/vital_signs.h"

#include "engine/base/host.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cstdint>
#include <exception>
#include <map>

namespace stillroom::lm {
namespace {

constexpr std::chrono::milliseconds kBeat{500};
constexpr int kBeatsToLive = 6;  // a machine with other work gives a thread its turn that late

std::string key_of(int rank) {
    return fmt::format("sign/{}", rank);
}

/// "17 node02 sum 'gradients'": how often it was changed, where, doing what.
struct Sign {
    std::int64_t count = -1;
    std::string host, doing;
};

Sign parse(const std::string& text) {
    std::size_t first = text.find(' '), second = text.find(' ', first + 1);
    if (first == std::string::npos || second == std::string::npos)
        return {};
    Sign sign{.host = text.substr(first + 1, second - first - 1), .doing = text.substr(second + 1)};
    std::from_chars(text.data(), text.data() + first, sign.count);
    return sign;
}

std::string named(int rank, const Sign& sign) {
    return sign.host.empty() ? fmt::format("rank {}", rank)
                             : fmt::format("rank {} on {}", rank, sign.host);
}

}  // namespace

VitalSigns::VitalSigns(int rank, Board board)
    : rank_(rank),
      board_(std::move(board)),
      thread_([this] { beat(); }) {}

VitalSigns::~VitalSigns() {
    {
        std::lock_guard lock(mutex_);
        ending_ = true;
    }
    wake_.notify_all();
    thread_.join();
}

void VitalSigns::begin(std::string_view what) {
    std::lock_guard lock(mutex_);
    doing_ = what;
}

void VitalSigns::beat() {
    std::string host = host_name();
    std::unique_lock lock(mutex_);
    for (std::int64_t count = 0; !ending_; count++) {
        std::string text = fmt::format("{} {} {}", count, host, doing_);
        lock.unlock();
        try {
            board_.put(key_of(rank_), text);
        } catch (const std::exception&) {
            return;  // the board has gone with the rank that keeps it: who waits for it says so
        }
        lock.lock();
        wake_.wait_for(lock, kBeat, [this] { return ending_; });
    }
}

std::string VitalSigns::missing(const std::vector<int>& members, std::string_view what) const {
    std::map<int, Sign> before, after;
    auto look = [&] {
        std::map<int, Sign> signs;
        for (int member : members)
            if (member != rank_)
                signs[member] = parse(board_.get(key_of(member)));
        return signs;
    };
    // One that goes may have changed its sign once more.
    auto beats = [&](const auto& one) { return one.second.count - before[one.first].count >= 2; };
    try {
        before = look();
        for (int i = 0; i < kBeatsToLive; i++) {
            std::this_thread::sleep_for(kBeat);
            after = look();
            if (std::all_of(after.begin(), after.end(), beats))
                break;
        }
    } catch (const std::exception&) {
        return "rank 0, where the ranks meet, is gone";
    }
    std::vector<std::string> gone, late;
    for (const auto& one : after) {
        const auto& [member, sign] = one;
        if (!beats(one))
            gone.push_back(named(member, sign));
        else if (sign.doing != what)
            late.push_back(fmt::format("{} is at {}", named(member, sign), sign.doing));
    }
    if (!gone.empty())
        return fmt::format("{} {} gone", fmt::join(gone, " and "), gone.size() == 1 ? "is" : "are");
    if (!late.empty())
        return fmt::format("{}", fmt::join(late, ", "));
    return "another rank has lost its connection";
}

}  // namespace stillroom::lm
