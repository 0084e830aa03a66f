#pragma once

#include <functional>
#include <future>
#include <memory>
#include <system_error>
#include <utility>

namespace stillroom::lm {

/// A thread for work of milliseconds. Where its maker runs a new one would wait, for up to a time
/// slice of the kernel's of 3 to 4 ms, while another processor is idle; so it begins on another.
/// Whoever drops it waits for it.
class OtherThread {
public:
    OtherThread() = default;
    /// Throws std::system_error: there can be none.
    explicit OtherThread(std::function<void()> work);
    OtherThread(OtherThread&&) = default;
    OtherThread& operator=(OtherThread&&) = default;

private:
    struct Handle;
    struct Join {
        void operator()(Handle* handle) const;
    };
    std::unique_ptr<Handle, Join> handle_;
};

/// What is being made by another thread, or will be by who asks for it.
template <class T>
class Beside {
public:
    Beside() = default;
    Beside(std::future<T> answer, OtherThread thread)
        : answer_(std::move(answer)),
          thread_(std::move(thread)) {}

    bool valid() const { return answer_.valid(); }  ///< it has not been taken yet
    T get() { return answer_.get(); }

private:
    std::future<T> answer_;
    OtherThread thread_;
};

/// What `work` gives, made by another thread, or by who asks for it where none can be had or it is
/// not worth one.
template <class Work>
auto beside(Work work, bool worth = true) {
    using T = decltype(work());
    if (worth) {
        try {
            auto task = std::make_shared<std::packaged_task<T()>>(work);
            std::future<T> answer = task->get_future();
            return Beside<T>(std::move(answer), OtherThread([task] { (*task)(); }));
        } catch (const std::system_error&) {
            // As below.
        }
    }
    return Beside<T>(std::async(std::launch::deferred, std::move(work)), OtherThread());
}

}  // namespace stillroom::lm
