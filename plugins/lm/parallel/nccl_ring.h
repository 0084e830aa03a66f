#pragma once

#include "engine/base/api.h"

#include <ATen/core/Tensor.h>
#include <c10/core/Stream.h>

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace stillroom::lm {

struct NcclComm;
struct NcclFunctions;

/// A communicator of NCCL, with a stream of its own. What is asked of it runs after all that this
/// thread has queued on the device, beside what it queues then; the function that comes back lets
/// what is queued from then on wait for it, and the host for nothing. A thread looks after what is
/// under way: what fails or takes longer than the deadline ends the communicator, so that no kernel
/// waits for ever, and whoever asks for anything next, or waits, is told. Tensors are contiguous.
class STILLROOM_API NcclRing {
public:
    using Wait = std::function<void()>;

    struct Place {
        int rank = 0, size = 1;
        at::Device device = at::kCUDA;
        std::chrono::milliseconds deadline{};
    };

    /// `shared` gives all ranks what it is given on rank 0. Throws std::exception, as do the
    /// others.
    NcclRing(const Place& place, const std::function<std::string(const std::string&)>& shared);
    ~NcclRing();

    Wait sum(const at::Tensor& x);
    Wait max(const at::Tensor& x);
    Wait gather(const at::Tensor& whole, const at::Tensor& part);
    Wait scatter_sum(const at::Tensor& part, const at::Tensor& whole);
    Wait broadcast(const at::Tensor& x, int from);
    Wait send(const at::Tensor& x, int to);
    Wait receive(const at::Tensor& x, int from);

private:
    struct UnderWay;
    using Launch = std::function<int(void* stream)>;

    Wait run(const Launch& launch);
    void settle(int result) const;
    std::string text_of(int result) const;
    void look_after();
    void fail(const std::string& why);
    void end(const std::string& why);
    void expect_whole() const;

    Place place_;
    const NcclFunctions& nccl_;
    NcclComm* comm_ = nullptr;
    c10::Stream stream_;
    std::mutex calls_;          ///< held while NCCL is asked for something
    mutable std::mutex mutex_;  ///< of what follows
    std::condition_variable wake_;
    std::deque<std::shared_ptr<UnderWay>> under_way_;
    std::string failure_;
    bool ending_ = false;
    std::thread watch_;
};

}  // namespace stillroom::lm
