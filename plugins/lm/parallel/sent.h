#pragma once

#include "plugins/lm/parallel/comm.h"

#include <cstddef>
#include <deque>

namespace stillroom::lm {

/// Tensors on their way to other ranks, kept until they have arrived; so many at most, then the
/// oldest is waited for.
class STILLROOM_API Sent {
public:
    explicit Sent(std::size_t most) : most_(most) {}

    void send(const Comm& comm, const at::Tensor& x, int to, std::string_view name);
    void wait();  ///< for all

private:
    void wait_first();

    std::size_t most_;
    std::deque<std::pair<at::Tensor, Pending>> under_way_;
};

}  // namespace stillroom::lm
