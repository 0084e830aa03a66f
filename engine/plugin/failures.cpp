#include "engine/plugin/failures.h"

#include <atomic>

namespace stillroom {
namespace {

std::atomic<Explain> explains{nullptr};

}  // namespace

void explain_failures(Explain explain) {
    explains = explain;
}

std::exception_ptr explained(const std::exception_ptr& failure) noexcept {
    try {
        if (Explain explain = explains)
            explain(failure);
    } catch (...) {
        return std::current_exception();
    }
    return failure;
}

}  // namespace stillroom
