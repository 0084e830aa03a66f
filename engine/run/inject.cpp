#include "engine/run/inject.h"

#include "engine/base/error.h"
#include "engine/base/text.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <stdexcept>
#include <thread>

namespace stillroom {
namespace {

constexpr std::pair<std::string_view, Fault::Kind> kFaults[] = {
    {"exception", Fault::Kind::exception},
    {"abort", Fault::Kind::abort},
    {"segv", Fault::Kind::segv},
    {"sigkill", Fault::Kind::sigkill},
    {"sigstop", Fault::Kind::sigstop},
    {"hang", Fault::Kind::hang},
    {"enospc", Fault::Kind::enospc},
    {"slow-io", Fault::Kind::slow_io},
    {"drop-rank", Fault::Kind::drop_rank},
    {"exit", Fault::Kind::exit},
    {"nan-loss", Fault::Kind::nan_loss},
    {"nan-grad", Fault::Kind::nan_grad},
    {"no-memory", Fault::Kind::no_memory},
    {"no-device", Fault::Kind::no_device},
};
/// What the stage itself must spoil, when it is there.
constexpr std::pair<std::string_view, Fault::Kind> kSpoiled[] = {
    {"loss", Fault::Kind::nan_loss},
    {"gradient", Fault::Kind::nan_grad},
    {"memory", Fault::Kind::no_memory},
    {"device", Fault::Kind::no_device},
};
constexpr auto kSlow = std::chrono::milliseconds(100);

template <class T>
bool read_number(std::string_view text, T& out) {
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc() && end == text.data() + text.size() && out >= 0;
}

[[noreturn]] void stand_still() {
    for (;;)
        std::this_thread::sleep_for(std::chrono::hours(1));
}

}  // namespace

Fault read_fault(std::string_view text) {
    std::vector<std::string> parts = split(text, ':');
    Fault fault;
    const auto* kind = std::end(kFaults);
    if (parts.size() == 2 || parts.size() == 3)
        kind = std::find_if(std::begin(kFaults), std::end(kFaults), [&](const auto& one) {
            return one.first == parts[1];
        });
    if (kind == std::end(kFaults) || !read_number(parts[0], fault.step) ||
        (parts.size() == 3 && !read_number(parts[2], fault.rank))) {
        std::vector<std::string> names;
        for (const auto& one : kFaults)
            names.emplace_back(one.first);
        throw Error({}, fmt::format("'{}' is no fault to inject", text))
            .hint(fmt::format("STEP:FAULT or STEP:FAULT:RANK, with {}", join(names, "or")))
            .exit_code(kExitUsage);
    }
    fault.kind = kind->second;
    return fault;
}

Faults::Faults(const std::vector<std::string>& texts, int rank, std::function<void()> go_silent)
    : go_silent_(std::move(go_silent)) {
    for (const std::string& text : texts) {
        Fault fault = read_fault(text);
        if (fault.rank < 0 || fault.rank == rank)
            faults_.push_back(fault);
    }
}

void Faults::step() {
    if (faults_.empty())
        return;
    std::int64_t now = ++steps_;
    for (const Fault& fault : faults_)
        if (fault.step == now)
            strike(fault.kind);
    if (slow_)
        std::this_thread::sleep_for(kSlow);
}

bool Faults::spoils(std::string_view what) {
    for (std::size_t i = 0; i < spoiled_.size(); ++i)
        if (kSpoiled[i].first == what)
            return spoiled_[i].exchange(false);
    return false;
}

void Faults::strike(Fault::Kind kind) {
    switch (kind) {
        case Fault::Kind::exception:
            throw std::runtime_error("an injected exception");
        case Fault::Kind::abort:
            std::abort();
        case Fault::Kind::segv:
            ::raise(SIGSEGV);
            return;
        case Fault::Kind::sigkill:
            ::raise(SIGKILL);
            return;
        case Fault::Kind::sigstop:
            ::raise(SIGSTOP);
            return;
        case Fault::Kind::hang:
            stand_still();
        case Fault::Kind::enospc:
            throw std::filesystem::filesystem_error(
                "an injected fault", std::make_error_code(std::errc::no_space_on_device));
        case Fault::Kind::slow_io:
            slow_ = true;
            return;
        case Fault::Kind::drop_rank:
            go_silent_();
            stand_still();
        case Fault::Kind::exit:
            ::_exit(0);
        case Fault::Kind::nan_loss:
        case Fault::Kind::nan_grad:
        case Fault::Kind::no_memory:
        case Fault::Kind::no_device:
            for (std::size_t i = 0; i < spoiled_.size(); ++i)
                if (kSpoiled[i].second == kind)
                    spoiled_[i] = true;
            return;
    }
}

}  // namespace stillroom
