#include "plugins/lm/data/batch_reader.h"

#include <condition_variable>
#include <deque>
#include <exception>
#include <mutex>
#include <thread>

namespace stillroom::lm {

struct BatchReader::State {
    const Samples& samples;
    BatchRequest request;
    std::size_t ahead;
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<MicroBatch> ready;
    std::exception_ptr failure;  // behind what is ready
    bool ending = false;
    std::thread reader;

    void read() {
        for (std::int64_t index = 0;; ++index) {
            MicroBatch batch;
            std::exception_ptr failed;
            try {
                batch = micro_batch(samples, request, index);
            } catch (...) {
                failed = std::current_exception();
            }
            std::unique_lock lock(mutex);
            changed.wait(lock, [this] { return ending || ready.size() < ahead; });
            if (ending)
                return;
            if (failed)
                failure = failed;
            else
                ready.push_back(std::move(batch));
            changed.notify_all();
            if (failed)
                return;
        }
    }
};

BatchReader::BatchReader(const Samples& samples, const BatchRequest& request, std::size_t ahead)
    : state_(
          new State{samples, request, std::max<std::size_t>(ahead, 1), {}, {}, {}, {}, false, {}}) {
    state_->reader = std::thread([state = state_.get()] { state->read(); });
}

BatchReader::~BatchReader() {
    {
        std::lock_guard lock(state_->mutex);
        state_->ending = true;
    }
    state_->changed.notify_all();
    state_->reader.join();
}

MicroBatch BatchReader::next() {
    std::unique_lock lock(state_->mutex);
    state_->changed.wait(lock, [this] { return !state_->ready.empty() || state_->failure; });
    if (state_->ready.empty())
        std::rethrow_exception(state_->failure);
    MicroBatch batch = std::move(state_->ready.front());
    state_->ready.pop_front();
    state_->changed.notify_all();
    return batch;
}

}  // namespace stillroom::lm
