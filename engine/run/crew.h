#pragma once

#include <condition_variable>
#include <cstddef>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <queue>
#include <thread>
#include <type_traits>
#include <vector>

namespace stillroom {

/// Threads that take work in the order in which it was given. They are started when there is more
/// to do than threads, and stay: of a thousand short pieces each would cost more to start a thread
/// for than to do.
class Crew {
public:
    /// `finished` is called when a result can be had, on the thread that worked it out.
    Crew(std::size_t most, std::function<void()> finished)
        : most_(most),
          finished_(std::move(finished)) {}
    Crew(const Crew&) = delete;
    Crew& operator=(const Crew&) = delete;

    /// Waits for what is being done; what was not begun is never done.
    ~Crew();

    template <class Work>
    auto run(Work work) {
        auto task =
            std::make_shared<std::packaged_task<std::invoke_result_t<Work>()>>(std::move(work));
        auto result = task->get_future();
        add([this, task] {
            (*task)();
            finished_();
        });
        return result;
    }

private:
    void add(std::function<void()> work);
    void serve();

    std::size_t most_;
    std::function<void()> finished_;
    std::mutex mutex_;
    std::condition_variable wakes_;
    std::queue<std::function<void()>> waiting_;
    std::vector<std::thread> threads_;
    std::size_t idle_ = 0;
    bool ending_ = false;
};

}  // namespace stillroom
