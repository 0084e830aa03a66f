#include "engine/base/error.h"
#include "tests/plugins/lm/parallel/played_stream.h"
#include "tests/plugins/lm/parallel/ranks.h"

#include <ATen/core/Tensor.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <dlfcn.h>
#include <doctest/doctest.h>

#include <chrono>
#include <future>
#include <mutex>
#include <thread>
#include <vector>

// Comm over NCCL, where neither is: devices are played to LibTorch, memory of the host being
// theirs, and played_nccl.cpp is the library.

using namespace stillroom::lm;
using namespace std::chrono_literals;

namespace {

/// Streams live as long as the process: what is under way on them may outlast a test.
class PlayedStreams {
public:
    static PlayedStreams& all() {
        static auto* streams = new PlayedStreams;
        return *streams;
    }
    c10::StreamId add() {
        std::lock_guard lock(mutex_);
        streams_.push_back(new PlayedStream);
        return std::ssize(streams_);
    }
    PlayedStream* at(c10::StreamId id) {
        static auto* current = new PlayedStream;
        std::lock_guard lock(mutex_);
        return id == 0 ? current : streams_[static_cast<std::size_t>(id - 1)];
    }

private:
    std::mutex mutex_;
    std::vector<PlayedStream*> streams_;
};

struct PlayedEvent {
    PlayedStream* stream = nullptr;
    int ticket = 0;
};

struct PlayedDevices final : c10::impl::DeviceGuardImplInterface {
    static thread_local c10::DeviceIndex current;

    c10::DeviceType type() const override { return c10::DeviceType::CUDA; }
    c10::Device exchangeDevice(c10::Device device) const override {
        c10::Device before = getDevice();
        setDevice(device);
        return before;
    }
    c10::Device getDevice() const override { return {c10::DeviceType::CUDA, current}; }
    void setDevice(c10::Device device) const override { current = device.index(); }
    void uncheckedSetDevice(c10::Device device) const noexcept override {
        current = device.index();
    }
    c10::Stream getStream(c10::Device device) const override {
        return c10::Stream(c10::Stream::UNSAFE, device, 0);
    }
    c10::Stream getNewStream(c10::Device device, int) const override {
        return c10::Stream(c10::Stream::UNSAFE, device, PlayedStreams::all().add());
    }
    c10::Stream exchangeStream(c10::Stream stream) const override { return stream; }
    void* getStreamNativeHandle(const c10::Stream stream) const override {
        return PlayedStreams::all().at(stream.id());
    }
    c10::DeviceIndex deviceCount() const noexcept override { return 8; }

    void record(void** event,
                const c10::Stream& stream,
                c10::DeviceIndex,
                c10::EventFlag) const override {
        if (*event == nullptr)
            *event = new PlayedEvent;
        PlayedStream* played = PlayedStreams::all().at(stream.id());
        *static_cast<PlayedEvent*>(*event) = {.stream = played, .ticket = played->begun};
    }
    bool queryEvent(void* event) const override {
        auto* played = static_cast<PlayedEvent*>(event);
        return played->stream->ended >= played->ticket;
    }
    /// As if whoever computes looked at the numbers at once.
    void block(void* event, const c10::Stream&) const override {
        while (!queryEvent(event))
            std::this_thread::sleep_for(1ms);
    }
    void destroyEvent(void* event, c10::DeviceIndex) const noexcept override {
        delete static_cast<PlayedEvent*>(event);
    }
};

thread_local c10::DeviceIndex PlayedDevices::current = 0;

C10_REGISTER_GUARD_IMPL(CUDA, PlayedDevices)

/// Found before any other library of that name.
void* const played_library = dlopen(STILLROOM_PLAYED_NCCL, RTLD_NOW | RTLD_GLOBAL);

c10::Device device_of(int rank) {
    return {c10::DeviceType::CUDA, static_cast<c10::DeviceIndex>(rank)};
}

/// Numbers that LibTorch takes for a device's.
struct OnDevice {
    std::vector<float> numbers;
    at::Tensor tensor;

    OnDevice(int rank, std::vector<float> values) : numbers(std::move(values)) {
        c10::Storage storage(c10::Storage::use_byte_size_t(),
                             numbers.size() * sizeof(float),
                             c10::DataPtr(numbers.data(), device_of(rank)),
                             nullptr,
                             false);
        tensor =
            at::detail::make_tensor<c10::TensorImpl>(std::move(storage),
                                                     c10::DispatchKeySet(c10::DispatchKey::CUDA),
                                                     caffe2::TypeMeta::Make<float>());
        tensor.unsafeGetTensorImpl()->set_sizes_contiguous({std::ssize(numbers)});
    }
};

using Numbers = std::vector<float>;

}  // namespace

TEST_CASE("ranks with a device each say everything by NCCL") {
    REQUIRE(played_library != nullptr);
    auto thrown = on_ranks(
        3,
        20s,
        [](Comm comm) {
            int r = comm.rank();
            auto mine = static_cast<float>(r);
            CHECK(comm.carrier() == "NCCL");
            OnDevice sum(r, {mine + 1, 1}), most(r, {mine}), told(r, {mine}), part(r, {0});
            OnDevice own(r, {mine}), whole(r, {9, 9, 9}), parts(r, {1, 2, 3});
            comm.sum(sum.tensor, "sum").wait();
            comm.max(most.tensor, "most").wait();
            comm.broadcast(told.tensor, 1, "told").wait();
            comm.gather(whole.tensor, own.tensor, "whole").wait();
            comm.scatter_sum(part.tensor, parts.tensor, "part").wait();
            CHECK(sum.numbers == Numbers{6, 3});
            CHECK(most.numbers == Numbers{2});
            CHECK(told.numbers == Numbers{1});
            CHECK(whole.numbers == Numbers{0, 1, 2});
            CHECK(part.numbers == Numbers{3 * (mine + 1)});
            CHECK(comm.any(r == 2, "stop"));  // on the host, by Gloo
        },
        device_of);
    CHECK(thrown == std::vector<std::string>(3));
}

TEST_CASE("what devices send crosses what is sent to them, and arrives in order") {
    auto thrown = on_ranks(
        2,
        20s,
        [](Comm comm) {
            int r = comm.rank(), other = 1 - r;
            auto mine = static_cast<float>(r);
            OnDevice first(r, {mine}), second(r, {mine + 10}), in(r, {99});
            Pending one = comm.send(first.tensor, other, "one"),
                    two = comm.send(second.tensor, other, "two");
            comm.receive(in.tensor, other, "one").wait();
            CHECK(in.numbers[0] == static_cast<float>(other));
            comm.receive(in.tensor, other, "two").wait();
            CHECK(in.numbers[0] == static_cast<float>(other + 10));
            one.wait();
            two.wait();
        },
        device_of);
    CHECK(thrown == std::vector<std::string>(2));
}

TEST_CASE("a rank that leaves others on their devices is named, and so is what it was waited for") {
    auto thrown = on_ranks(
        2,
        4s,
        [](Comm comm) {
            OnDevice x(comm.rank(), {1, 2});
            comm.sum(x.tensor, "losses").wait();
            comm.barrier("begin");
            if (comm.rank() == 1)
                return;
            comm.sum(x.tensor, "gradients").wait();  // what is queued now waits, the host does not
            comm.sum(x.tensor, "weights").wait();
        },
        device_of);
    CAPTURE(thrown[0]);
    CHECK(thrown[0].starts_with("7 rank 1 on "));
    CHECK(thrown[0].find(" is gone: sum 'weights'") != std::string::npos);
}

TEST_CASE("a rank that never comes to a communicator is waited for no longer than the deadline") {
    std::promise<void> told;
    auto thrown = on_ranks(
        2,
        4s,
        [&](Comm comm) {
            OnDevice x(comm.rank(), {1});
            comm.barrier("begin");
            if (comm.rank() == 1) {
                told.get_future().wait_for(60s);
                return;
            }
            try {
                comm.sum(x.tensor, "gradients").wait();
            } catch (const stillroom::Error&) {
                told.set_value();
                throw;
            }
        },
        device_of);
    CAPTURE(thrown[0]);
    CHECK(thrown[0].find("rank 1 on ") != std::string::npos);
    CHECK(thrown[0].find(" is at max 'begin': sum 'gradients'") != std::string::npos);
}
