#pragma once

#include "engine/base/api.h"
#include "engine/plugin/stage.h"

#include <ATen/core/Tensor.h>

#include <chrono>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

namespace stillroom::lm {

struct Circle;

/// Something said to the other ranks that may not have arrived. Its tensors are not to be touched
/// before wait() has returned.
class [[nodiscard]] Pending {
public:
    Pending() = default;  ///< nothing to wait for
    explicit Pending(std::function<void()> wait) : wait_(std::move(wait)) {}

    /// Throws Error (exit 7) that names the rank that is gone or late, and what it was waited for.
    void wait() {
        if (wait_)
            std::exchange(wait_, nullptr)();
    }

private:
    std::function<void()> wait_;
};

/// The ranks of a stage, or some of them, as one of them sees them: all that they say to each other
/// goes through here. Every call is made by all members in the same order, with tensors of the same
/// shape and type, contiguous; `name` says what it is about, for the message when somebody is lost.
/// One alone waits for nobody.
/// Sums and gathers among ranks of one host go by memory that they share, and are done when they
/// return. Gloo carries what else lies in the host's memory, NCCL what lies on devices; where two
/// ranks share a device, which NCCL refuses, Gloo carries that too, through the host's memory. With
/// NCCL wait() holds up what the device is given next and not the host, so a lost rank may be told
/// of by a later call.
class STILLROOM_API Comm {
public:
    Comm() = default;  ///< alone

    /// Meets the other ranks at rank.store. Nobody is waited for longer than `deadline`, neither
    /// here nor later. `device` is this rank's; all have one of CUDA's or none has. Without
    /// `shares_memory` ranks speak as if each were on a host of its own.
    static Comm connect(const Rank& rank,
                        std::chrono::milliseconds deadline,
                        at::Device device = at::kCPU,
                        bool shares_memory = true);

    int rank() const { return rank_; }
    int size() const { return size_; }
    std::string_view carrier() const;  ///< of what lies on this rank's device

    /// Some of these ranks, this one among them; called by them alone, and `label` is theirs.
    Comm group(const std::vector<int>& members, std::string_view label) const;

    Pending sum(const at::Tensor& x, std::string_view name) const;
    Pending max(const at::Tensor& x, std::string_view name) const;

    /// Every rank's part, one behind another.
    Pending gather(const at::Tensor& whole, const at::Tensor& part, std::string_view name) const;

    /// The sum of everybody's whole, of which each gets its part.
    Pending scatter_sum(const at::Tensor& part,
                        const at::Tensor& whole,
                        std::string_view name) const;

    Pending broadcast(const at::Tensor& x, int from, std::string_view name) const;
    Pending send(const at::Tensor& x, int to, std::string_view name) const;
    Pending receive(const at::Tensor& x, int from, std::string_view name) const;

    /// True on every rank if it is on one: how ranks agree to stop.
    bool any(bool mine, std::string_view name) const;

    void barrier(std::string_view name) const;

private:
    int rank_ = 0;
    int size_ = 1;
    std::shared_ptr<Circle> circle_;  ///< none: alone
};

}  // namespace stillroom::lm
