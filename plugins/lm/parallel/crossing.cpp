#include "plugins/lm/parallel/crossing.h"

#include <ATen/ops/empty.h>
#include <torch/csrc/autograd/custom_function.h>

#include <memory>

namespace stillroom::lm {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

// What one does forward the other does backward: sum and nothing, gather and scatter_sum.

enum class Move : std::uint8_t { nothing, sum, gather, scatter_sum };

at::Tensor moved(const Comm& comm, Move move, const at::Tensor& x_TD) {
    if (move == Move::nothing)
        return x_TD;
    if (move == Move::sum) {
        at::Tensor out_TD = x_TD.clone(at::MemoryFormat::Contiguous);
        comm.sum(out_TD, "a layer's halves").wait();
        return out_TD;
    }
    at::Tensor from_TD = x_TD.contiguous();
    std::vector<std::int64_t> shape = from_TD.sizes().vec();
    bool gathers = move == Move::gather;
    shape[0] = gathers ? shape[0] * comm.size() : shape[0] / comm.size();
    at::Tensor out_TD = at::empty(shape, from_TD.options());
    if (gathers)
        comm.gather(out_TD, from_TD, "a layer's tokens").wait();
    else
        comm.scatter_sum(out_TD, from_TD, "a layer's tokens").wait();
    return out_TD;
}

struct MoveFunction : torch::autograd::Function<MoveFunction> {
    static at::Tensor forward(AutogradContext* context,
                              const at::Tensor& x_TD,
                              const Comm* comm,
                              std::int64_t forth,
                              std::int64_t back) {
        context->saved_data["comm"] = reinterpret_cast<std::int64_t>(comm);
        context->saved_data["back"] = back;
        at::Tensor out_TD = moved(*comm, static_cast<Move>(forth), x_TD);
        return out_TD.is_same(x_TD) ? x_TD.view(x_TD.sizes()) : out_TD;
    }

    static tensor_list backward(AutogradContext* context, const tensor_list& slope) {
        const auto* comm = reinterpret_cast<const Comm*>(context->saved_data["comm"].toInt());
        return {moved(*comm, static_cast<Move>(context->saved_data["back"].toInt()), slope[0]),
                {},
                {},
                {}};
    }
};

Crossing::Step step(std::shared_ptr<const Comm> comm, Move forth, Move back) {
    return [comm = std::move(comm), forth, back](const at::Tensor& x_TD) {
        return MoveFunction::apply(
            x_TD, comm.get(), static_cast<std::int64_t>(forth), static_cast<std::int64_t>(back));
    };
}

}  // namespace

Crossing crossing_of(const Comm& tensor, bool sequence) {
    if (tensor.size() == 1)
        return {};
    auto comm = std::make_shared<const Comm>(tensor);
    if (sequence)
        return {.enter = step(comm, Move::gather, Move::scatter_sum),
                .leave = step(comm, Move::scatter_sum, Move::gather)};
    return {.enter = step(comm, Move::nothing, Move::sum),
            .leave = step(comm, Move::sum, Move::nothing)};
}

}  // namespace stillroom::lm
