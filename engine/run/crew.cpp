#include "engine/run/crew.h"

namespace stillroom {

Crew::~Crew() {
    {
        std::lock_guard lock(mutex_);
        ending_ = true;
    }
    wakes_.notify_all();
    for (std::thread& thread : threads_)
        thread.join();
}

void Crew::add(std::function<void()> work) {
    {
        std::lock_guard lock(mutex_);
        waiting_.push(std::move(work));
        if (waiting_.size() > idle_ && threads_.size() < most_)
            threads_.emplace_back([this] { serve(); });
    }
    wakes_.notify_one();
}

void Crew::serve() {
    std::unique_lock lock(mutex_);
    for (;;) {
        ++idle_;
        wakes_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
        --idle_;
        if (ending_)
            return;
        std::function<void()> work = std::move(waiting_.front());
        waiting_.pop();
        lock.unlock();
        work();
        work = nullptr;
        lock.lock();
    }
}

}  // namespace stillroom
