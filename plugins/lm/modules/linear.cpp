#include "plugins/lm/modules/linear.h"

#include "plugins/lm/modules/narrow_linear.h"
#include "plugins/lm/modules/own_backward.h"

#include <ATen/ops/addmm.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mm.h>

namespace stillroom::lm {

at::Tensor linear(const at::Tensor& x, const Linear& weights) {
    if (weights.weight.scalar_type() != x.scalar_type()) {
        at::Tensor out = narrow_linear(x, weights.weight);
        return weights.bias.defined() ? out.add_(weights.bias) : out;
    }
    if (wants_gradient({&x, &weights.weight}))
        return linear_with_backward(x, weights.weight, weights.bias);
    if (weights.bias.defined())
        return at::linear(x, weights.weight, weights.bias);
    return at::linear(x, weights.weight);
}

void add_product(const at::Tensor& main, const at::Tensor& a, const at::Tensor& b) {
    at::Tensor out = main;
    if (a.scalar_type() == main.scalar_type())
        out.addmm_(a, b);
    else if (a.is_cuda())
        at::addmm_out(out, out, a, b, main.scalar_type());
    else
        out.add_(a.mm(b));
}

}  // namespace stillroom::lm
