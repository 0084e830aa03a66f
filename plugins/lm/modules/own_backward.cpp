#include "plugins/lm/modules/own_backward.h"

#include "plugins/lm/kernels/rms_norm.h"
#include "plugins/lm/modules/fused.h"
#include "plugins/lm/modules/linear.h"
#include "plugins/lm/modules/mlp.h"
#include "plugins/lm/modules/norm.h"
#include "plugins/lm/modules/on_device.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/_fused_rms_norm.h>
#include <ATen/ops/_fused_rms_norm_backward.h>
#include <ATen/ops/embedding.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <optional>

namespace stillroom::lm {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::tensor_list;

// Inside a Function's forward no gradient is recorded: the plain operators take their fastest way.

constexpr char kMain[] = "main gradient";

/// The weight's own gradient, to be added to; undefined where it has none.
void keep_main(AutogradContext* context, const at::Tensor& weight) {
    context->saved_data[kMain] = weight.is_leaf() ? weight.grad() : at::Tensor();
}

/// Adds to the weight's own gradient and returns nothing, or returns what was to be added.
at::Tensor into_main(AutogradContext* context, const at::Tensor& gradient) {
    at::Tensor main = context->saved_data[kMain].toTensor();
    if (!main.defined())
        return gradient;
    main.add_(gradient);
    return {};
}

/// The gradient of a weight, dyᵀ·x: into its own if it has one.
at::Tensor weight_gradient(AutogradContext* context,
                           const at::Tensor& dy_TE,
                           const at::Tensor& x_TD) {
    at::Tensor main_ED = context->saved_data[kMain].toTensor();
    if (!main_ED.defined())
        return dy_TE.t().mm(x_TD);
    add_product(main_ED, dy_TE.t(), x_TD);
    return {};
}

struct LinearBackward : torch::autograd::Function<LinearBackward> {
    static at::Tensor forward(AutogradContext* context,
                              const at::Tensor& x_TD,
                              const at::Tensor& weight_ED,
                              const std::optional<at::Tensor>& bias_E) {
        context->save_for_backward({x_TD, weight_ED});
        keep_main(context, weight_ED);
        context->saved_data["bias"] = bias_E.has_value();
        return linear(x_TD, {.weight = weight_ED, .bias = bias_E.value_or(at::Tensor())});
    }

    static tensor_list backward(AutogradContext* context, const tensor_list& given) {
        tensor_list saved = context->get_saved_variables();
        const at::Tensor &x_TD = saved[0], &weight_ED = saved[1], &dy_TE = given[0];
        at::Tensor dx_TD, dw_ED, db_E;
        if (context->needs_input_grad(0))
            dx_TD = dy_TE.mm(weight_ED);
        if (context->needs_input_grad(1))
            dw_ED = weight_gradient(context, dy_TE, x_TD);
        if (context->saved_data["bias"].toBool() && context->needs_input_grad(2))
            db_E = dy_TE.sum(0);
        return {dx_TD, dw_ED, db_E};
    }
};

struct NormBackward : torch::autograd::Function<NormBackward> {
    static at::Tensor forward(AutogradContext* context,
                              const at::Tensor& x,
                              const at::Tensor& weight,
                              double eps,
                              bool plus_one) {
        keep_main(context, weight);
        context->saved_data["eps"] = eps;
        context->saved_data["plus one"] = plus_one;
        if (!x.is_cpu()) {
            auto [out, rstd] =
                at::_fused_rms_norm(x, weight.sizes(), plus_one ? weight + 1 : weight, eps);
            context->save_for_backward({x, weight, rstd});
            return out;
        }
        context->save_for_backward({x, weight});
        return norm(
            x, {.weight = weight, .bias = {}}, plus_one ? Norm::rms_plus_one : Norm::rms, eps);
    }

    static tensor_list backward(AutogradContext* context, const tensor_list& given) {
        tensor_list saved = context->get_saved_variables();
        const at::Tensor &x = saved[0], &weight = saved[1];
        at::Tensor dy = given[0].contiguous();
        RmsNorm how{.columns = static_cast<std::size_t>(x.size(-1)),
                    .eps = static_cast<float>(context->saved_data["eps"].toDouble()),
                    .plus_one = context->saved_data["plus one"].toBool()};
        if (!x.is_cpu()) {
            auto [dx, dw] = at::_fused_rms_norm_backward(
                dy, x, weight.sizes(), saved[2], how.plus_one ? weight + 1 : weight, {true, true});
            return {dx, into_main(context, dw), {}, {}};
        }
        at::Tensor dx = at::empty_like(x), dw = x.scalar_type() == at::kBFloat16
                                                    ? rows<Bf16>(how, x, weight, dy, dx)
                                                    : rows<float>(how, x, weight, dy, dx);
        return {dx, into_main(context, dw), {}, {}};
    }

    /// Each thread has its own rows and its own sum, so that the result is the same every time.
    template <class Element>
    static at::Tensor rows(const RmsNorm& how,
                           const at::Tensor& x,
                           const at::Tensor& weight,
                           const at::Tensor& dy,
                           const at::Tensor& dx) {
        auto columns = static_cast<std::int64_t>(how.columns);
        std::int64_t rows = x.numel() / columns, parts = at::get_num_threads();
        std::int64_t part = (rows + parts - 1) / parts;
        at::Tensor dw = at::zeros({parts, columns}, at::kFloat);
        at::parallel_for(0, parts, 1, [&](std::int64_t first, std::int64_t last) {
            for (std::int64_t i = first; i < last; i++) {
                std::int64_t begin = std::min(i * part, rows), end = std::min(begin + part, rows);
                rms_norm_backward(best_tier(),
                                  how,
                                  elements_of<Element>(x) + begin * columns,
                                  elements_of<Element>(weight),
                                  elements_of<Element>(dy) + begin * columns,
                                  mutable_elements_of<Element>(dx) + begin * columns,
                                  dw.mutable_data_ptr<float>() + i * columns,
                                  static_cast<std::size_t>(end - begin));
            }
        });
        return dw.sum(0);
    }
};

/// What reaches gate and up of what reaches act(gate)·up.
std::pair<at::Tensor, at::Tensor> gate_slopes(const at::Tensor& gate_TF,
                                              const at::Tensor& up_TF,
                                              const at::Tensor& dy_TF,
                                              Gate gate) {
    at::Tensor to_gate_TF = at::empty_like(gate_TF), to_up_TF = at::empty_like(up_TF);
    if (!up_TF.is_cpu()) {
        const DeviceKernels& kernels = needed_kernels({&gate_TF, &up_TF, &dy_TF}, "gated_backward");
        queue_kernel(up_TF, kernels, "gated_backward", [&](CUstream_st* stream) {
            return kernels.gated_backward({.a = gate_TF.const_data_ptr(),
                                           .b = up_TF.const_data_ptr(),
                                           .dy = dy_TF.const_data_ptr(),
                                           .da = to_gate_TF.mutable_data_ptr(),
                                           .db = to_up_TF.mutable_data_ptr(),
                                           .count = up_TF.numel(),
                                           .halves = up_TF.scalar_type() == at::kBFloat16,
                                           .silu = gate == Gate::silu},
                                          stream);
        });
        return {to_gate_TF, to_up_TF};
    }
    auto act = [&]<class Element>(Element) {
        at::parallel_for(0, up_TF.numel(), 16384, [&](std::int64_t begin, std::int64_t end) {
            gated_backward(best_tier(),
                           gate,
                           elements_of<Element>(gate_TF) + begin,
                           elements_of<Element>(up_TF) + begin,
                           elements_of<Element>(dy_TF) + begin,
                           mutable_elements_of<Element>(to_gate_TF) + begin,
                           mutable_elements_of<Element>(to_up_TF) + begin,
                           static_cast<std::size_t>(end - begin));
        });
    };
    if (up_TF.scalar_type() == at::kBFloat16)
        act(Bf16{});
    else
        act(float{});
    return {to_gate_TF, to_up_TF};
}

Gate kept_gate(AutogradContext* context) {
    return context->saved_data["silu"].toBool() ? Gate::silu : Gate::gelu_tanh;
}

struct GatedBackward : torch::autograd::Function<GatedBackward> {
    static at::Tensor forward(AutogradContext* context,
                              const at::Tensor& gate_TF,
                              const at::Tensor& up_TF,
                              bool silu) {
        context->save_for_backward({gate_TF, up_TF});
        context->saved_data["silu"] = silu;
        at::Tensor out_TF = at::empty_like(up_TF);
        gate_into(out_TF, gate_TF, up_TF, kept_gate(context));
        return out_TF;
    }

    static tensor_list backward(AutogradContext* context, const tensor_list& given) {
        tensor_list saved = context->get_saved_variables();
        const at::Tensor &gate_TF = saved[0], &up_TF = saved[1];
        auto [to_gate_TF, to_up_TF] =
            gate_slopes(gate_TF, up_TF, given[0].contiguous(), kept_gate(context));
        return {to_gate_TF, to_up_TF, {}};
    }
};

struct GatedLinearBackward : torch::autograd::Function<GatedLinearBackward> {
    static at::Tensor forward(AutogradContext* context,
                              const at::Tensor& gate_TF,
                              const at::Tensor& up_TF,
                              bool silu,
                              const at::Tensor& weight_DF,
                              const std::optional<at::Tensor>& bias_D) {
        context->save_for_backward({gate_TF, up_TF, weight_DF});
        keep_main(context, weight_DF);
        context->saved_data["silu"] = silu;
        context->saved_data["bias"] = bias_D.has_value();
        return linear(middle(gate_TF, up_TF, kept_gate(context)),
                      {.weight = weight_DF, .bias = bias_D.value_or(at::Tensor())});
    }

    static tensor_list backward(AutogradContext* context, const tensor_list& given) {
        tensor_list saved = context->get_saved_variables();
        const at::Tensor &gate_TF = saved[0], &up_TF = saved[1], &weight_DF = saved[2];
        const at::Tensor& dy_TD = given[0];
        Gate gate = kept_gate(context);
        at::Tensor dw_DF, db_D;
        if (context->needs_input_grad(2))  // tensors are counted
            dw_DF = weight_gradient(context, dy_TD, middle(gate_TF, up_TF, gate));
        if (context->saved_data["bias"].toBool() && context->needs_input_grad(3))
            db_D = dy_TD.sum(0);
        auto [to_gate_TF, to_up_TF] = gate_slopes(gate_TF, up_TF, dy_TD.mm(weight_DF), gate);
        return {to_gate_TF, to_up_TF, {}, dw_DF, db_D};
    }

    static at::Tensor middle(const at::Tensor& gate_TF, const at::Tensor& up_TF, Gate gate) {
        at::Tensor out_TF = at::empty_like(up_TF);
        gate_into(out_TF, gate_TF, up_TF, gate);
        return out_TF;
    }
};

struct RotateBackward : torch::autograd::Function<RotateBackward> {
    static at::Tensor forward(AutogradContext* context,
                              const at::Tensor& x_THK,
                              const at::Tensor& cos_TR,
                              const at::Tensor& sin_TR) {
        context->save_for_backward({cos_TR, sin_TR});
        return rotate(x_THK, {.cos_TR = cos_TR, .sin_TR = sin_TR});
    }

    /// Turned back.
    static tensor_list backward(AutogradContext* context, const tensor_list& given) {
        tensor_list saved = context->get_saved_variables();
        return {rotate(given[0].contiguous(), {.cos_TR = saved[0], .sin_TR = -saved[1]}), {}, {}};
    }
};

struct EmbedBackward : torch::autograd::Function<EmbedBackward> {
    static at::Tensor forward(AutogradContext* context,
                              const at::Tensor& weight_VD,
                              const at::Tensor& ids_T) {
        context->save_for_backward({weight_VD, ids_T});
        keep_main(context, weight_VD);
        return at::embedding(weight_VD, ids_T);
    }

    static tensor_list backward(AutogradContext* context, const tensor_list& given) {
        tensor_list saved = context->get_saved_variables();
        const at::Tensor &weight_VD = saved[0], &ids_T = saved[1], &dy_TD = given[0];
        at::Tensor main_VD = context->saved_data[kMain].toTensor();
        bool own = main_VD.defined();
        if (!own)
            main_VD = at::zeros_like(weight_VD);
        at::Tensor rows_TD = dy_TD.to(main_VD.scalar_type());
        if (main_VD.is_cuda())  // sorted by id, so the same every time; index_add_ is a race there
            main_VD.index_put_({ids_T}, rows_TD, /*accumulate=*/true);
        else
            main_VD.index_add_(0, ids_T, rows_TD);
        return {own ? at::Tensor() : main_VD, {}};
    }
};

std::optional<at::Tensor> if_defined(const at::Tensor& x) {
    return x.defined() ? std::optional(x) : std::nullopt;
}

}  // namespace

bool wants_gradient(std::initializer_list<const at::Tensor*> tensors) {
    return std::any_of(tensors.begin(), tensors.end(), [](const at::Tensor* x) {
        return x->defined() && !needs_no_gradient(*x);
    });
}

at::Tensor linear_with_backward(const at::Tensor& x_TD,
                                const at::Tensor& weight_ED,
                                const at::Tensor& bias_E) {
    return LinearBackward::apply(x_TD, weight_ED, if_defined(bias_E));
}

at::Tensor norm_with_backward(const at::Tensor& x,
                              const at::Tensor& weight,
                              double eps,
                              bool plus_one) {
    return NormBackward::apply(x, weight, eps, plus_one);
}

at::Tensor gated_with_backward(const at::Tensor& gate_TF, const at::Tensor& up_TF, Gate gate) {
    return GatedBackward::apply(gate_TF, up_TF, gate == Gate::silu);
}

at::Tensor gated_linear_with_backward(const at::Tensor& gate_TF,
                                      const at::Tensor& up_TF,
                                      Gate gate,
                                      const at::Tensor& weight_DF,
                                      const at::Tensor& bias_D) {
    return GatedLinearBackward::apply(
        gate_TF, up_TF, gate == Gate::silu, weight_DF, if_defined(bias_D));
}

at::Tensor rotate_with_backward(const at::Tensor& x_THK, const Turns& turns) {
    return RotateBackward::apply(x_THK, turns.cos_TR, turns.sin_TR);
}

at::Tensor embed_with_backward(const at::Tensor& weight_VD, const at::Tensor& ids_T) {
    return EmbedBackward::apply(weight_VD, ids_T);
}

}  // namespace stillroom::lm
