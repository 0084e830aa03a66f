#include "tests/plugins/lm/parallel/ranks.h"

#include "plugins/lm/modules/device.h"
#include "plugins/lm/parallel/nccl_ring.h"

#include <ATen/TensorOperators.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/full.h>
#include <ATen/ops/zeros.h>
#include <doctest/doctest.h>

#include <chrono>
#include <thread>

// Ranks whose tensors lie on devices. NCCL takes one rank a device, so on a machine with one GPU it
// is asked alone, and two ranks go through the host.

using namespace stillroom::lm;
using namespace std::chrono_literals;

namespace {

int devices() {
    return compute_device("auto").is_cuda() ? at::detail::getCUDAHooks().deviceCount() : 0;
}

at::Device device_of(int local) {
    return compute_device("cuda", local);
}

/// Every collective of three numbers a rank, on this rank's device.
void say_everything(const Comm& comm, at::Device device) {
    auto like = at::TensorOptions().dtype(at::kFloat).device(device);
    int ranks = comm.size();
    double rank = comm.rank(), all = ranks * (ranks + 1) / 2.0;
    at::Tensor sum = at::full({3}, rank + 1, like), most = at::full({3}, rank, like),
               told = at::full({3}, rank, like), whole = at::zeros({3 * ranks}, like),
               part = at::zeros({3}, like);
    comm.sum(sum, "sum").wait();
    comm.max(most, "most").wait();
    comm.broadcast(told, ranks - 1, "told").wait();
    comm.gather(whole, at::full({3}, rank, like), "whole").wait();
    comm.scatter_sum(part, at::arange(3 * ranks, like), "part").wait();
    CHECK(sum.cpu().equal(at::full({3}, all)));
    CHECK(most.cpu().equal(at::full({3}, ranks - 1.0)));
    CHECK(told.cpu().equal(at::full({3}, ranks - 1.0)));
    CHECK(whole[3 * ranks - 1].item<float>() == ranks - 1);
    CHECK(part[0].item<double>() == ranks * 3 * rank);
    at::Tensor first = at::full({3}, rank, like), second = at::full({3}, rank + 10, like),
               in = at::zeros({3}, like);
    int other = 1 - comm.rank();
    Pending one = comm.send(first, other, "one"), two = comm.send(second, other, "two");
    comm.receive(in, other, "one").wait();
    CHECK(in[0].item<float>() == other);
    comm.receive(in, other, "two").wait();
    CHECK(in[0].item<float>() == other + 10);
    one.wait();
    two.wait();
    comm.barrier("end");
}

}  // namespace

TEST_CASE("NCCL alone says everything to itself") {
    if (devices() == 0) {
        MESSAGE("skipped: no CUDA device");
        return;
    }
    at::Device device = device_of(0);
    NcclRing ring({.rank = 0, .size = 1, .device = device, .deadline = 20s},
                  [](const std::string& id) { return id; });
    auto like = at::TensorOptions().dtype(at::kFloat).device(device);
    for (at::ScalarType type : {at::kFloat, at::kBFloat16, at::kDouble, at::kLong}) {
        at::Tensor x = at::full({1000}, 3, like.dtype(type)), out = at::zeros_like(x);
        ring.sum(x)();
        ring.max(x)();
        ring.broadcast(x, 0)();
        CHECK(x.cpu().equal(at::full({1000}, 3, type)));
        ring.gather(out, x)();
        CHECK(out.equal(x));
        out.zero_();
        ring.scatter_sum(out, x)();
        CHECK(out.equal(x));
    }
    at::Tensor large = at::full({1 << 26}, 1, like);
    auto arrived = ring.sum(large * 2);
    arrived();
}

TEST_CASE("two ranks on one device say everything through the host") {
    if (devices() == 0) {
        MESSAGE("skipped: no CUDA device");
        return;
    }
    auto thrown = on_ranks(
        2,
        20s,
        [](Comm comm) {
            CHECK(comm.carrier().starts_with("Gloo"));
            say_everything(comm, device_of(0));
        },
        [](int) { return device_of(0); });
    CHECK(thrown == std::vector<std::string>(2));
}

TEST_CASE("ranks on a device each say everything by NCCL, and a lost one is named") {
    if (devices() < 2) {
        MESSAGE("skipped: NCCL takes one rank a device, and there are not two");
        return;
    }
    auto thrown = on_ranks(
        2,
        20s,
        [](Comm comm) {
            CHECK(comm.carrier() == "NCCL");
            say_everything(comm, device_of(comm.rank()));
        },
        device_of);
    CHECK(thrown == std::vector<std::string>(2));
    thrown = on_ranks(
        2,
        3s,
        [](Comm comm) {
            at::Tensor x = at::full({3}, 1, at::TensorOptions().device(device_of(comm.rank())));
            comm.sum(x, "first").wait();
            comm.barrier("begin");
            if (comm.rank() == 1)
                return;
            comm.sum(x, "gradients").wait();
            std::this_thread::sleep_for(5s);  // the host goes on, and is told at the next call
            comm.sum(x, "more").wait();
        },
        device_of);
    CHECK(thrown[0].starts_with("7 rank 1 on "));
}
