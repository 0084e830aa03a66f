#include "plugins/lm/weights/bus_guard.h"

#include <signal.h>
#include <sys/mman.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <mutex>

namespace stillroom::lm {
namespace {

// The handler may only look at memory that is always there, without a lock: a fixed table. A slot
// is taken by setting `begin`, and `end` last; both are 0 while it is free.
struct Slot {
    std::atomic<std::uintptr_t> begin{0}, end{0};
    std::atomic<bool> torn{false};
};
std::array<Slot, kMostGuarded> slots;
struct sigaction before;

constexpr std::uintptr_t kPage = 4096;

void pass_on(int number, siginfo_t* info, void* context) {
    if (before.sa_flags & SA_SIGINFO) {
        before.sa_sigaction(number, info, context);
    } else if (before.sa_handler != SIG_DFL && before.sa_handler != SIG_IGN) {
        before.sa_handler(number);
    } else {  // the instruction is run again and ends the process, as it would have
        ::signal(SIGBUS, SIG_DFL);
    }
}

void on_bus_error(int number, siginfo_t* info, void* context) {
    int code = errno;
    auto address = reinterpret_cast<std::uintptr_t>(info->si_addr);
    for (Slot& slot : slots) {
        std::uintptr_t end = slot.end.load(std::memory_order_acquire);
        if (address >= end || address < slot.begin.load(std::memory_order_relaxed))
            continue;
        void* page = reinterpret_cast<void*>(address / kPage * kPage);
        void* zeros =
            ::mmap(page, kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        if (zeros == MAP_FAILED)
            break;
        slot.torn.store(true, std::memory_order_release);
        errno = code;
        return;
    }
    pass_on(number, info, context);
}

void stand_guard() {
    struct sigaction action {};
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    ::sigemptyset(&action.sa_mask);
    ::sigaction(SIGBUS, &action, &before);
}

}  // namespace

int guard_mapping(const void* data, std::size_t size) {
    static std::once_flag once;
    static std::mutex taking;
    std::call_once(once, stand_guard);
    std::lock_guard lock(taking);
    for (int i = 0; i < kMostGuarded; ++i) {
        Slot& slot = slots[static_cast<std::size_t>(i)];
        if (slot.end.load(std::memory_order_relaxed) != 0)
            continue;
        auto begin = reinterpret_cast<std::uintptr_t>(data);
        slot.torn.store(false, std::memory_order_relaxed);
        slot.begin.store(begin, std::memory_order_relaxed);
        // Up to the end of the last page.
        slot.end.store((begin + size + kPage - 1) / kPage * kPage, std::memory_order_release);
        return i;
    }
    return -1;
}

void release_mapping(int guard) {
    if (guard < 0)
        return;
    Slot& slot = slots[static_cast<std::size_t>(guard)];
    slot.end.store(0, std::memory_order_release);
}

bool was_torn(int guard) {
    return guard >= 0 &&
           slots[static_cast<std::size_t>(guard)].torn.load(std::memory_order_acquire);
}

}  // namespace stillroom::lm
