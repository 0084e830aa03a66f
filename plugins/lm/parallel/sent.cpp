#include "plugins/lm/parallel/sent.h"

namespace stillroom::lm {

void Sent::send(const Comm& comm, const at::Tensor& x, int to, std::string_view name) {
    at::Tensor whole = x.contiguous();
    under_way_.emplace_back(whole, comm.send(whole, to, name));
    while (under_way_.size() > most_)
        wait_first();
}

void Sent::wait() {
    while (!under_way_.empty())
        wait_first();
}

void Sent::wait_first() {
    under_way_.front().second.wait();
    under_way_.pop_front();
}

}  // namespace stillroom::lm
