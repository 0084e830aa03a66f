#pragma once

#include "plugins/lm/parallel/shared_slots.h"

#include <ATen/core/Tensor.h>

namespace stillroom::lm {

/// What ranks of one host say to each other, by memory that they share: a tensor is copied once
/// and read where it lies, where a socket's goes through the kernel four times. Whoever asks is
/// answered when all have asked. A sum is in the order of the ranks, so it is the same for all of
/// them. Tensors are contiguous and on the CPU.
class HostRing {
public:
    explicit HostRing(std::unique_ptr<SharedSlots> slots) : slots_(std::move(slots)) {}

    void sum(const at::Tensor& x);
    void gather(const at::Tensor& whole, const at::Tensor& part);
    void scatter_sum(const at::Tensor& part, const at::Tensor& whole);

private:
    std::unique_ptr<SharedSlots> slots_;
};

}  // namespace stillroom::lm
