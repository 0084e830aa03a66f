#include "plugins/lm/parallel/nccl_ring.h"

#include "plugins/lm/parallel/nccl.h"

#include <c10/core/DeviceGuard.h>
#include <c10/core/Event.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <stdexcept>

// Streams and events are LibTorch's of any device, so nothing of CUDA's is linked here.

namespace stillroom::lm {
namespace {

using Clock = std::chrono::steady_clock;
using namespace std::chrono_literals;

constexpr auto kGlance = 20ms;   // between looks at what is under way
constexpr auto kFarewell = 10s;  // that the others have to end as well

int type_of(const at::Tensor& x) {
    switch (x.scalar_type()) {
        case at::kByte:
            return kNcclUint8;
        case at::kInt:
            return kNcclInt32;
        case at::kLong:
            return kNcclInt64;
        case at::kHalf:
            return kNcclFloat16;
        case at::kFloat:
            return kNcclFloat32;
        case at::kDouble:
            return kNcclFloat64;
        case at::kBFloat16:
            return kNcclBfloat16;
        default:
            throw std::runtime_error(
                fmt::format("NCCL carries no {}", c10::toString(x.scalar_type())));
    }
}

std::size_t count_of(const at::Tensor& x) {
    return static_cast<std::size_t>(x.numel());
}

CudaStream* stream_from(void* stream) {
    return static_cast<CudaStream*>(stream);
}

c10::Stream own_stream(at::Device device) {
    return c10::impl::VirtualGuardImpl(device.type()).getNewStream(device);
}

}  // namespace

struct NcclRing::UnderWay {
    explicit UnderWay(Clock::time_point until) : done(at::kCUDA), late(until) {}
    c10::Event done;
    Clock::time_point late;
};

NcclRing::NcclRing(const Place& place, const std::function<std::string(const std::string&)>& shared)
    : place_(place),
      nccl_(nccl()),
      stream_(own_stream(place.device)) {
    c10::DeviceGuard guard(place_.device);
    NcclId id{};
    if (place_.rank == 0)
        if (int result = nccl_.unique_id(&id); result != kNcclSuccess)
            throw std::runtime_error(text_of(result));
    std::string text = shared(std::string(id.bytes, sizeof id.bytes));
    if (text.size() != sizeof id.bytes)
        throw std::runtime_error("what the first rank shared is no id of NCCL's");
    std::memcpy(id.bytes, text.data(), sizeof id.bytes);
    NcclConfig config;
    int result = nccl_.init(&comm_, place_.size, id, place_.rank, &config);
    try {
        settle(result);
    } catch (const std::exception&) {
        if (comm_ != nullptr)
            nccl_.abort(comm_);
        throw;
    }
    watch_ = std::thread([this] { look_after(); });
}

NcclRing::~NcclRing() {
    {
        std::lock_guard lock(mutex_);
        ending_ = true;
        for (const std::shared_ptr<UnderWay>& one : under_way_)
            one->late = std::min(one->late, Clock::now() + kFarewell);
    }
    wake_.notify_all();
    watch_.join();
    if (!failure_.empty())
        return;  // it is gone already
    try {
        place_.deadline = kFarewell;
        c10::DeviceGuard guard(place_.device);
        settle(nccl_.finalize(comm_));
        nccl_.destroy(comm_);
    } catch (const std::exception&) {
        nccl_.abort(comm_);
    }
}

std::string NcclRing::text_of(int result) const {
    const char* more = comm_ != nullptr ? nccl_.last_error(comm_) : nullptr;
    std::string text = nccl_.error_text(result);
    return more != nullptr && *more != '\0' ? fmt::format("{} ({})", text, more) : text;
}

/// Calls do not block: what they began has to be waited for before anything else is asked.
void NcclRing::settle(int result) const {
    Clock::time_point late = Clock::now() + place_.deadline;
    while (result == kNcclInProgress) {
        if (Clock::now() > late)
            throw std::runtime_error("NCCL waits for ranks that do not come");
        std::this_thread::sleep_for(50us);
        if (int asked = nccl_.async_error(comm_, &result); asked != kNcclSuccess)
            result = asked;
    }
    if (result != kNcclSuccess)
        throw std::runtime_error(text_of(result));
}

void NcclRing::expect_whole() const {
    std::lock_guard lock(mutex_);
    if (!failure_.empty())
        throw std::runtime_error(failure_);
}

NcclRing::Wait NcclRing::run(const Launch& launch) {
    c10::DeviceGuard guard(place_.device);
    c10::impl::VirtualGuardImpl device(place_.device.type());
    c10::Event ready(place_.device.type());
    ready.record(device.getStream(place_.device));
    ready.block(stream_);
    std::lock_guard calls(calls_);
    expect_whole();
    try {
        settle(launch(device.getStreamNativeHandle(stream_)));
    } catch (const std::exception& problem) {
        end(problem.what());
        throw;
    }
    auto under_way = std::make_shared<UnderWay>(Clock::now() + place_.deadline);
    under_way->done.record(stream_);
    {
        std::lock_guard lock(mutex_);
        under_way_.push_back(under_way);
    }
    wake_.notify_all();
    return [this, under_way] {
        expect_whole();
        c10::impl::VirtualGuardImpl now(place_.device.type());
        under_way->done.block(now.getStream(place_.device));
    };
}

/// Kernels that wait for others end, with whatever they have.
void NcclRing::end(const std::string& why) {
    {
        std::lock_guard lock(mutex_);
        failure_ = why;
        under_way_.clear();
    }
    nccl_.abort(comm_);
}

void NcclRing::fail(const std::string& why) {
    std::lock_guard calls(calls_);  // nobody is inside a call of a communicator that goes
    if (failure_.empty())
        end(why);
}

void NcclRing::look_after() {
    c10::DeviceGuard guard(place_.device);
    std::unique_lock lock(mutex_);
    while (true) {
        wake_.wait(lock, [this] { return ending_ || !under_way_.empty(); });
        if (under_way_.empty() || !failure_.empty())
            return;
        std::shared_ptr<UnderWay> first = under_way_.front();
        lock.unlock();
        int state = kNcclSuccess;
        bool arrived = first->done.query();
        nccl_.async_error(comm_, &state);
        if (!arrived && state != kNcclSuccess && state != kNcclInProgress)
            return fail(text_of(state));
        if (!arrived && Clock::now() > first->late)
            return fail("NCCL waits for ranks that do not come");
        if (!arrived)
            std::this_thread::sleep_for(kGlance);
        lock.lock();
        if (arrived && !under_way_.empty())
            under_way_.pop_front();
    }
}

NcclRing::Wait NcclRing::sum(const at::Tensor& x) {
    return run([&](void* stream) {
        void* data = x.mutable_data_ptr();
        return nccl_.all_reduce(
            data, data, count_of(x), type_of(x), kNcclSum, comm_, stream_from(stream));
    });
}

NcclRing::Wait NcclRing::max(const at::Tensor& x) {
    return run([&](void* stream) {
        void* data = x.mutable_data_ptr();
        return nccl_.all_reduce(
            data, data, count_of(x), type_of(x), kNcclMax, comm_, stream_from(stream));
    });
}

NcclRing::Wait NcclRing::gather(const at::Tensor& whole, const at::Tensor& part) {
    return run([&](void* stream) {
        return nccl_.all_gather(part.const_data_ptr(),
                                whole.mutable_data_ptr(),
                                count_of(part),
                                type_of(part),
                                comm_,
                                stream_from(stream));
    });
}

NcclRing::Wait NcclRing::scatter_sum(const at::Tensor& part, const at::Tensor& whole) {
    return run([&](void* stream) {
        return nccl_.reduce_scatter(whole.const_data_ptr(),
                                    part.mutable_data_ptr(),
                                    count_of(part),
                                    type_of(part),
                                    kNcclSum,
                                    comm_,
                                    stream_from(stream));
    });
}

NcclRing::Wait NcclRing::broadcast(const at::Tensor& x, int from) {
    return run([&](void* stream) {
        void* data = x.mutable_data_ptr();
        return nccl_.broadcast(
            data, data, count_of(x), type_of(x), from, comm_, stream_from(stream));
    });
}

NcclRing::Wait NcclRing::send(const at::Tensor& x, int to) {
    return run([&](void* stream) {
        return nccl_.send(
            x.const_data_ptr(), count_of(x), type_of(x), to, comm_, stream_from(stream));
    });
}

NcclRing::Wait NcclRing::receive(const at::Tensor& x, int from) {
    return run([&](void* stream) {
        return nccl_.receive(
            x.mutable_data_ptr(), count_of(x), type_of(x), from, comm_, stream_from(stream));
    });
}

}  // namespace stillroom::lm
