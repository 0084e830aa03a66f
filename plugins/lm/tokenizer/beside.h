#pragma once

#include <future>
#include <system_error>
#include <utility>

namespace stillroom::lm {

/// What `work` gives, made by another thread, or by who asks for it where none can be had or it is
/// not worth one. Who drops the answer waits for the work.
template <class Work>
auto beside(Work work, bool worth = true) {
    if (!worth)
        return std::async(std::launch::deferred, std::move(work));
    try {
        return std::async(std::launch::async, work);
    } catch (const std::system_error&) {
        return std::async(std::launch::deferred, std::move(work));
    }
}

}  // namespace stillroom::lm
