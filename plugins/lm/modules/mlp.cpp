#include "plugins/lm/modules/mlp.h"

#include "plugins/lm/kernels/gated.h"
#include "plugins/lm/modules/fused.h"
#include "plugins/lm/modules/on_device.h"
#include "plugins/lm/modules/own_backward.h"

#include <ATen/Parallel.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/silu.h>

namespace stillroom::lm {
namespace {

at::Tensor activated(const at::Tensor& x, Activation activation) {
    switch (activation) {
        case Activation::silu:
            return at::silu(x);
        case Activation::gelu_tanh:
            return at::gelu(x, "tanh");
        case Activation::gelu:
            return at::gelu(x);
        case Activation::relu_squared:
            break;
    }
    return at::relu(x).square();
}

template <class Element>
void gate_elements(const at::Tensor& out, const at::Tensor& gate, const at::Tensor& up, Gate kind) {
    at::parallel_for(0, up.numel(), 16384, [&](std::int64_t begin, std::int64_t end) {
        gated(best_tier(),
              kind,
              elements_of<Element>(gate) + begin,
              elements_of<Element>(up) + begin,
              mutable_elements_of<Element>(out) + begin,
              static_cast<std::size_t>(end - begin));
    });
}

/// That of the kernels; none: LibTorch's operators compute it.
std::optional<Gate> fused_gate(const at::Tensor& gate_TF,
                               const at::Tensor& up_TF,
                               Activation activation) {
    bool known = activation == Activation::silu || activation == Activation::gelu_tanh;
    if (!known || (!are_fusable({&gate_TF, &up_TF}) && kernels_for({&gate_TF, &up_TF}) == nullptr))
        return std::nullopt;
    return activation == Activation::silu ? Gate::silu : Gate::gelu_tanh;
}

/// act(gate)·up; the gate is the caller's own and may be overwritten.
at::Tensor gated_middle(const at::Tensor& gate_TF, const at::Tensor& up_TF, Activation activation) {
    std::optional<Gate> kind = fused_gate(gate_TF, up_TF, activation);
    if (!kind)
        return activated(gate_TF, activation).mul(up_TF);
    if (wants_gradient({&gate_TF, &up_TF}))
        return gated_with_backward(gate_TF, up_TF, *kind);
    gate_into(gate_TF, gate_TF, up_TF, *kind);
    return gate_TF;
}

}  // namespace

void gate_into(const at::Tensor& out, const at::Tensor& gate, const at::Tensor& up, Gate kind) {
    if (!up.is_cpu()) {
        const DeviceKernels& kernels = needed_kernels({&out, &gate, &up}, "gated");
        queue_kernel(up, kernels, "gated", [&](CUstream_st* stream) {
            return kernels.gated({.a = gate.const_data_ptr(),
                                  .b = up.const_data_ptr(),
                                  .out = out.mutable_data_ptr(),
                                  .count = up.numel(),
                                  .halves = up.scalar_type() == at::kBFloat16,
                                  .silu = kind == Gate::silu},
                                 stream);
        });
        return;
    }
    if (up.scalar_type() == at::kBFloat16)
        gate_elements<Bf16>(out, gate, up, kind);
    else
        gate_elements<float>(out, gate, up, kind);
}

at::Tensor mlp(const at::Tensor& x_TD,
               const MlpWeights& weights,
               Activation activation,
               const std::function<void(const at::Tensor&)>& see_middle) {
    at::Tensor up_TF = linear(x_TD, weights.up_proj);
    at::Tensor middle_TF;
    if (weights.gate_proj.weight.defined()) {
        at::Tensor gate_TF = linear(x_TD, weights.gate_proj);
        std::optional<Gate> kind = fused_gate(gate_TF, up_TF, activation);
        if (kind && !see_middle && wants_gradient({&gate_TF, &up_TF}))
            return gated_linear_with_backward(
                gate_TF, up_TF, *kind, weights.down_proj.weight, weights.down_proj.bias);
        middle_TF = gated_middle(gate_TF, up_TF, activation);
    } else {
        middle_TF = activated(up_TF, activation);
    }
    if (see_middle)
        see_middle(middle_TF);
    return linear(middle_TF, weights.down_proj);
}

}  // namespace stillroom::lm
