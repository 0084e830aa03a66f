#include "plugins/lm/parallel/comm.h"

#include "engine/base/error.h"
#include "engine/base/files.h"
#include "engine/base/host.h"
#include "engine/base/text.h"
#include "plugins/lm/parallel/host_ring.h"
#include "plugins/lm/parallel/nccl_ring.h"
#include "plugins/lm/parallel/rendezvous.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/sum.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

// The header is empty without it.
#define USE_C10D_GLOO
#include <c10/util/env.h>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <utility>

namespace stillroom::lm {
namespace {

using Gloo = c10d::ProcessGroupGloo;
using WorkPtr = c10::intrusive_ptr<c10d::Work>;

constexpr std::chrono::seconds kFarewell{10};  // rank 0 keeps the store that long for the others

/// Which of the host's it is, whatever part of them this process sees.
std::string device_name(at::Device device) {
    std::vector<std::string> visible = split(environment("CUDA_VISIBLE_DEVICES"), ',');
    auto index = static_cast<std::size_t>(device.index());
    bool listed = index < visible.size() && !visible[index].empty();
    return fmt::format("{}/{}", host_name(), listed ? visible[index] : std::to_string(index));
}

/// Gloo knows no device: what lies on one goes through pinned memory of the host.
at::Tensor host_like(const at::Tensor& x) {
    return at::empty(x.sizes(), x.options().device(at::kCPU).pinned_memory(true));
}

/// Says `in`, if it is defined, and hears `out`, which may be the same.
template <class Begin>
Pending through_host(const at::Tensor& in, const at::Tensor& out, Begin begin) {
    at::Tensor host_in, host_out;
    if (in.defined())
        host_in = host_like(in).copy_(in);
    if (out.defined())
        host_out = out.is_same(in) ? host_in : host_like(out);
    auto pending = std::make_shared<Pending>(begin(host_in, host_out));
    return Pending([pending, in = host_in, from = host_out, out] {
        pending->wait();
        if (out.defined())
            out.copy_(from);
    });
}

}  // namespace

/// What all groups of a process share.
struct Circles {
    Circles(const Rank& self, std::chrono::milliseconds patience, at::Device where, bool shares)
        : rank(self),
          deadline(patience),
          device(where),
          shares_memory(shares),
          place(Rendezvous::open(self, patience)),
          signs(self.rank, board_at(self, patience)) {
        if (device.is_cuda())
            meet_devices();
    }

    /// Whoever keeps the store leaves last.
    ~Circles() {
        try {
            if (rank.rank != 0) {
                place.store->set(left(rank.rank), std::vector<std::uint8_t>{1});
                return;
            }
            std::vector<std::string> others;
            for (int other = 1; other < rank.world; other++)
                others.push_back(left(other));
            if (!broken)
                place.store->wait(others, kFarewell);
        } catch (const std::exception&) {
            // One that is gone says no farewell.
        }
    }

    static std::string left(int who) { return fmt::format("left/{}", who); }

    /// NCCL takes one rank a device.
    void meet_devices() {
        auto key = [](int who) { return fmt::format("device/{}", who); };
        put(key(rank.rank), device_name(device));
        std::set<std::string> devices;
        try {
            for (int other = 0; other < rank.world; other++)
                devices.insert(get(key(other)));
        } catch (const std::exception& problem) {
            throw Error({}, "the ranks do not all say which device they have")
                .exit_code(kExitRanks)
                .note({}, problem.what());
        }
        by_nccl = std::ssize(devices) == rank.world;
    }

    void put(const std::string& key, const std::string& text) {
        place.store->set(key, std::vector<std::uint8_t>(text.begin(), text.end()));
    }
    std::string get(const std::string& key) {  // waits for it
        std::vector<std::uint8_t> bytes = place.store->get(key);
        return {bytes.begin(), bytes.end()};
    }

    Rank rank;
    std::chrono::milliseconds deadline;
    at::Device device;
    bool shares_memory;
    Rendezvous place;
    VitalSigns signs;
    bool by_nccl = false;  ///< what lies on devices
    bool broken = false;   ///< somebody was lost
};

struct Circle {
    std::shared_ptr<Circles> all;
    std::vector<int> members;  ///< ranks of the world
    int self_rank;
    std::string label;
    c10::intrusive_ptr<Gloo> group;
    std::unique_ptr<HostRing> near;  ///< where all members are on one host

    Circle(std::shared_ptr<Circles> circles,
           std::vector<int> ranks,
           int self,
           std::string_view name)
        : all(std::move(circles)),
          members(std::move(ranks)),
          self_rank(self),
          label(name) {
        c10::intrusive_ptr<Gloo::Options> options = Gloo::Options::create(all->deadline);
        record_no_flights();
        options->devices.push_back(
            Gloo::createDeviceForHostname(all->place.address, /*lazyInit=*/false));
        std::string what = fmt::format("meeting '{}'", label);
        all->signs.begin(what);
        try {
            group = c10::make_intrusive<Gloo>(c10::make_intrusive<c10d::PrefixStore>(
                                                  fmt::format("group/{}", label), all->place.store),
                                              self,
                                              static_cast<int>(members.size()),
                                              options);
            if (all->shares_memory)
                near = meet_near();
        } catch (const std::exception& problem) {
            throw lost(what, problem);
        }
    }

    /// PyTorch keeps the last 2,000 operations with their call stacks, for a dump that nobody here
    /// asks for, in one map of the process that groups of two threads write without a lock. It
    /// reads this when the first group begins.
    static void record_no_flights() {
        static const bool once = (c10::utils::set_env("TORCH_FR_BUFFER_SIZE", "0"), true);
        static_cast<void>(once);
    }

    std::unique_ptr<HostRing> meet_near() const {
        int turn = 0;
        auto exchange = [&](const std::string& mine) {
            auto key = [&](std::size_t member) {
                return fmt::format("near/{}/{}/{}", label, turn, member);
            };
            all->put(key(static_cast<std::size_t>(self_rank)), mine);
            std::vector<std::string> texts;
            for (std::size_t member = 0; member < members.size(); member++)
                texts.push_back(all->get(key(member)));
            turn++;
            return texts;
        };
        std::unique_ptr<SharedSlots> slots = SharedSlots::meet(self_rank, all->deadline, exchange);
        return slots ? std::make_unique<HostRing>(std::move(slots)) : nullptr;
    }

    /// The communicator of all members; made when it is first needed, by all of them.
    NcclRing& ring() {
        if (!ring_)
            ring_ = make_ring(self_rank, static_cast<int>(members.size()), label);
        return *ring_;
    }

    /// Of two, one for each way: what goes one way waits for nothing that goes the other. Both are
    /// made when the two first speak, whoever sends.
    NcclRing& ring(int from, int to) {
        auto [low, high] = std::minmax(from, to);
        auto& [up, down] = pairs_[{low, high}];
        if (!down) {
            up = make_ring(self_rank == low ? 0 : 1, 2, fmt::format("{}/{}>{}", label, low, high));
            down =
                make_ring(self_rank == high ? 0 : 1, 2, fmt::format("{}/{}>{}", label, high, low));
        }
        return from == low ? *up : *down;
    }

    std::unique_ptr<NcclRing> make_ring(int rank, int size, const std::string& name) const {
        NcclRing::Place place{
            .rank = rank, .size = size, .device = all->device, .deadline = all->deadline};
        return std::make_unique<NcclRing>(place, [&](const std::string& id) {
            std::string key = "nccl/" + name;
            if (rank != 0)
                return all->get(key);
            all->put(key, id);
            return id;
        });
    }

    bool goes_by_host(const at::Tensor& x) const { return !x.is_cpu() && !all->by_nccl; }

    Error lost(const std::string& what, const std::exception& problem) const {
        all->broken = true;
        std::string why = problem.what();
        why.resize(std::min(why.find('\n'), why.size()));
        return Error({}, fmt::format("{}: {}", all->signs.missing(members, what), what))
            .exit_code(kExitRanks)
            .note({}, fmt::format("seen as: {}", why));
    }

    template <class Begin>
    Pending begin(const std::shared_ptr<Circle>& self,
                  std::string_view kind,
                  std::string_view name,
                  std::vector<at::Tensor> held,
                  Begin wait_of) {
        std::string what = fmt::format("{} '{}'", kind, name);
        all->signs.begin(what);
        try {
            std::function<void()> wait = wait_of();
            return Pending([self, wait, what, held] {
                try {
                    wait();
                } catch (const std::exception& problem) {
                    throw self->lost(what, problem);
                }
            });
        } catch (const Error&) {
            throw;  // no NCCL: nobody is lost
        } catch (const std::exception& problem) {
            throw lost(what, problem);
        }
    }

    /// Said and heard already.
    template <class Say>
    static std::function<void()> done(const Say& say) {
        say();
        return [] {};
    }

    std::function<void()> wait_for(WorkPtr work) const {
        return [work = std::move(work), patience = all->deadline] { work->wait(patience); };
    }

    /// Each other member gets his part of `given`, and his own for this one goes into his of `got`:
    /// all at once. Gloo's gather takes four times as long as this, its reduce-scatter, which is an
    /// all-reduce, three times (two ranks, 140 MB).
    std::function<void()> exchange(std::vector<at::Tensor> given,
                                   std::vector<at::Tensor> got) const {
        constexpr int kTag = 1;  // send() and receive() have 0
        std::vector<std::function<void()>> waits;
        for (int other = 0; other < static_cast<int>(members.size()); other++) {
            if (other == self_rank)
                continue;
            auto at = static_cast<std::size_t>(other);
            std::vector<at::Tensor> from{got[at]}, to{given[at]};
            waits.push_back(wait_for(group->recv(from, other, kTag)));
            waits.push_back(wait_for(group->send(to, other, kTag)));
        }
        return [waits = std::move(waits), given = std::move(given), got = std::move(got)] {
            for (const std::function<void()>& wait : waits)
                wait();
        };
    }

private:
    std::unique_ptr<NcclRing> ring_;
    std::map<std::pair<int, int>, std::pair<std::unique_ptr<NcclRing>, std::unique_ptr<NcclRing>>>
        pairs_;
};

Comm Comm::connect(const Rank& rank,
                   std::chrono::milliseconds deadline,
                   at::Device device,
                   bool shares_memory) {
    Comm comm;
    if (rank.world == 1)
        return comm;
    std::vector<int> members;
    for (int member = 0; member < rank.world; member++)
        members.push_back(member);
    comm.rank_ = rank.rank;
    comm.size_ = rank.world;
    comm.circle_ =
        std::make_shared<Circle>(std::make_shared<Circles>(rank, deadline, device, shares_memory),
                                 members,
                                 rank.rank,
                                 "all");
    return comm;
}

Comm Comm::group(const std::vector<int>& members, std::string_view label) const {
    Comm comm;
    comm.size_ = static_cast<int>(members.size());
    std::vector<int> ranks;
    for (int member : members) {
        if (member == rank_)
            comm.rank_ = static_cast<int>(ranks.size());
        ranks.push_back(circle_ ? circle_->members[static_cast<std::size_t>(member)] : member);
    }
    if (comm.size_ > 1)
        comm.circle_ = std::make_shared<Circle>(
            circle_->all, ranks, comm.rank_, fmt::format("{}/{}", label, fmt::join(ranks, "-")));
    return comm;
}

Pending Comm::sum(const at::Tensor& x, std::string_view name) const {
    if (!circle_)
        return {};
    if (circle_->goes_by_host(x))
        return through_host(x, x, [&](auto& host, auto&) { return sum(host, name); });
    return circle_->begin(circle_, "sum", name, {x}, [&] {
        if (!x.is_cpu())
            return circle_->ring().sum(x);
        if (circle_->near)
            return Circle::done([&] { circle_->near->sum(x); });
        std::vector<at::Tensor> tensors{x};
        return circle_->wait_for(circle_->group->allreduce(tensors));
    });
}

Pending Comm::max(const at::Tensor& x, std::string_view name) const {
    if (!circle_)
        return {};
    if (circle_->goes_by_host(x))
        return through_host(x, x, [&](auto& host, auto&) { return max(host, name); });
    return circle_->begin(circle_, "max", name, {x}, [&] {
        if (!x.is_cpu())
            return circle_->ring().max(x);
        std::vector<at::Tensor> tensors{x};
        c10d::AllreduceOptions options;
        options.reduceOp = c10d::ReduceOp::MAX;
        return circle_->wait_for(circle_->group->allreduce(tensors, options));
    });
}

Pending Comm::gather(const at::Tensor& whole, const at::Tensor& part, std::string_view name) const {
    if (!circle_) {
        whole.copy_(part);
        return {};
    }
    if (circle_->goes_by_host(whole))
        return through_host(
            part, whole, [&](auto& from, auto& into) { return gather(into, from, name); });
    return circle_->begin(circle_, "gather", name, {whole, part}, [&] {
        if (!whole.is_cpu())
            return circle_->ring().gather(whole, part);
        if (circle_->near)
            return Circle::done([&] { circle_->near->gather(whole, part.contiguous()); });
        std::vector<at::Tensor> got = whole.view({size_, -1}).unbind(0);
        std::vector<at::Tensor> given(got.size(), part.contiguous().view({-1}));
        got[static_cast<std::size_t>(rank_)].copy_(given.front());
        return circle_->exchange(std::move(given), std::move(got));
    });
}

Pending Comm::scatter_sum(const at::Tensor& part,
                          const at::Tensor& whole,
                          std::string_view name) const {
    if (!circle_) {
        part.copy_(whole);
        return {};
    }
    if (circle_->goes_by_host(whole))
        return through_host(
            whole, part, [&](auto& from, auto& into) { return scatter_sum(into, from, name); });
    return circle_->begin(circle_, "scatter_sum", name, {part, whole}, [&] {
        if (!whole.is_cpu())
            return circle_->ring().scatter_sum(part, whole);
        if (circle_->near)
            return Circle::done([&] { circle_->near->scatter_sum(part, whole.contiguous()); });
        at::Tensor all_PN = at::empty({size_, part.numel()}, whole.options());
        std::vector<at::Tensor> mine = whole.contiguous().view({size_, -1}).unbind(0);
        all_PN[rank_].copy_(mine[static_cast<std::size_t>(rank_)]);
        std::function<void()> wait = circle_->exchange(std::move(mine), all_PN.unbind(0));
        return std::function<void()>([wait = std::move(wait), all_PN, part] {
            wait();
            at::Tensor sum_N = part.view({-1});
            at::sum_out(sum_N, all_PN, 0);
        });
    });
}

Pending Comm::broadcast(const at::Tensor& x, int from, std::string_view name) const {
    if (!circle_)
        return {};
    if (circle_->goes_by_host(x))
        return through_host(x, x, [&](auto& host, auto&) { return broadcast(host, from, name); });
    return circle_->begin(circle_, "broadcast", name, {x}, [&] {
        if (!x.is_cpu())
            return circle_->ring().broadcast(x, from);
        std::vector<at::Tensor> tensors{x};
        c10d::BroadcastOptions options;
        options.rootRank = from;
        return circle_->wait_for(circle_->group->broadcast(tensors, options));
    });
}

Pending Comm::send(const at::Tensor& x, int to, std::string_view name) const {
    if (circle_->goes_by_host(x))
        return through_host(x, {}, [&](auto& host, auto&) { return send(host, to, name); });
    return circle_->begin(circle_, "send", name, {x}, [&] {
        if (!x.is_cpu())
            return circle_->ring(rank_, to).send(x, 1);
        std::vector<at::Tensor> tensors{x};
        return circle_->wait_for(circle_->group->send(tensors, to, /*tag=*/0));
    });
}

Pending Comm::receive(const at::Tensor& x, int from, std::string_view name) const {
    if (circle_->goes_by_host(x))
        return through_host({}, x, [&](auto&, auto& host) { return receive(host, from, name); });
    return circle_->begin(circle_, "receive", name, {x}, [&] {
        if (!x.is_cpu())
            return circle_->ring(from, rank_).receive(x, 0);
        std::vector<at::Tensor> tensors{x};
        return circle_->wait_for(circle_->group->recv(tensors, from, /*tag=*/0));
    });
}

std::string_view Comm::carrier() const {
    if (!circle_)
        return "none";
    if (!circle_->all->device.is_cuda())
        return "Gloo";
    return circle_->all->by_nccl ? "NCCL" : "Gloo, through the host's memory: ranks share a device";
}

bool Comm::any(bool mine, std::string_view name) const {
    if (!circle_)
        return mine;
    at::Tensor votes = at::full({1}, mine ? 1 : 0, at::kInt);
    max(votes, name).wait();
    return votes.item<int>() != 0;
}

void Comm::barrier(std::string_view name) const {
    any(false, name);
}

}  // namespace stillroom::lm
