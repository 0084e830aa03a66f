#include "plugins/lm/parallel/comm.h"

#include "engine/base/error.h"
#include "plugins/lm/parallel/rendezvous.h"

#include <ATen/ops/full.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

// The header is empty without it.
#define USE_C10D_GLOO
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#include <algorithm>
#include <string>

namespace stillroom::lm {
namespace {

using Gloo = c10d::ProcessGroupGloo;
using WorkPtr = c10::intrusive_ptr<c10d::Work>;

constexpr std::chrono::seconds kFarewell{10};  // rank 0 keeps the store that long for the others

}  // namespace

/// What all groups of a process share.
struct Circles {
    Circles(const Rank& self, std::chrono::milliseconds patience)
        : rank(self),
          deadline(patience),
          place(Rendezvous::open(self, patience)),
          signs(self.rank, board_at(self, patience)) {}

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

    Rank rank;
    std::chrono::milliseconds deadline;
    Rendezvous place;
    VitalSigns signs;
    bool broken = false;  ///< somebody was lost
};

struct Circle {
    std::shared_ptr<Circles> all;
    std::vector<int> members;  ///< ranks of the world
    c10::intrusive_ptr<Gloo> group;

    Circle(std::shared_ptr<Circles> circles,
           std::vector<int> ranks,
           int self,
           std::string_view label)
        : all(std::move(circles)),
          members(std::move(ranks)) {
        c10::intrusive_ptr<Gloo::Options> options = Gloo::Options::create(all->deadline);
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
        } catch (const std::exception& problem) {
            throw lost(what, problem);
        }
    }

    Error lost(const std::string& what, const std::exception& problem) const {
        all->broken = true;
        std::string why = problem.what();
        why.resize(std::min(why.find('\n'), why.size()));
        return Error({}, fmt::format("{}: {}", all->signs.missing(members, what), what))
            .exit_code(kExitRanks)
            .note({}, fmt::format("the network says: {}", why));
    }

    template <class Begin>
    Pending begin(const std::shared_ptr<Circle>& self,
                  std::string_view kind,
                  std::string_view name,
                  Begin work_of) {
        std::string what = fmt::format("{} '{}'", kind, name);
        all->signs.begin(what);
        try {
            WorkPtr work = work_of();
            return Pending([self, work, what] {
                try {
                    work->wait(self->all->deadline);
                } catch (const std::exception& problem) {
                    throw self->lost(what, problem);
                }
            });
        } catch (const std::exception& problem) {
            throw lost(what, problem);
        }
    }
};

Comm Comm::connect(const Rank& rank, std::chrono::milliseconds deadline) {
    Comm comm;
    if (rank.world == 1)
        return comm;
    std::vector<int> members;
    for (int member = 0; member < rank.world; member++)
        members.push_back(member);
    comm.rank_ = rank.rank;
    comm.size_ = rank.world;
    comm.circle_ = std::make_shared<Circle>(
        std::make_shared<Circles>(rank, deadline), members, rank.rank, "all");
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
    return circle_->begin(circle_, "sum", name, [&] {
        std::vector<at::Tensor> tensors{x};
        return circle_->group->allreduce(tensors);
    });
}

Pending Comm::max(const at::Tensor& x, std::string_view name) const {
    if (!circle_)
        return {};
    return circle_->begin(circle_, "max", name, [&] {
        std::vector<at::Tensor> tensors{x};
        c10d::AllreduceOptions options;
        options.reduceOp = c10d::ReduceOp::MAX;
        return circle_->group->allreduce(tensors, options);
    });
}

Pending Comm::gather(const at::Tensor& whole, const at::Tensor& part, std::string_view name) const {
    if (!circle_) {
        whole.copy_(part);
        return {};
    }
    return circle_->begin(circle_, "gather", name, [&] {
        at::Tensor into = whole, from = part;
        return circle_->group->_allgather_base(into, from);
    });
}

Pending Comm::scatter_sum(const at::Tensor& part,
                          const at::Tensor& whole,
                          std::string_view name) const {
    if (!circle_) {
        part.copy_(whole);
        return {};
    }
    return circle_->begin(circle_, "scatter_sum", name, [&] {
        at::Tensor into = part, from = whole;
        return circle_->group->_reduce_scatter_base(into, from);
    });
}

Pending Comm::broadcast(const at::Tensor& x, int from, std::string_view name) const {
    if (!circle_)
        return {};
    return circle_->begin(circle_, "broadcast", name, [&] {
        std::vector<at::Tensor> tensors{x};
        c10d::BroadcastOptions options;
        options.rootRank = from;
        return circle_->group->broadcast(tensors, options);
    });
}

Pending Comm::send(const at::Tensor& x, int to, std::string_view name) const {
    return circle_->begin(circle_, "send", name, [&] {
        std::vector<at::Tensor> tensors{x};
        return circle_->group->send(tensors, to, /*tag=*/0);
    });
}

Pending Comm::receive(const at::Tensor& x, int from, std::string_view name) const {
    return circle_->begin(circle_, "receive", name, [&] {
        std::vector<at::Tensor> tensors{x};
        return circle_->group->recv(tensors, from, /*tag=*/0);
    });
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
