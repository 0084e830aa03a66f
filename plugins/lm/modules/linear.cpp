#include "plugins/lm/modules/linear.h"

#include <ATen/ops/linear.h>

namespace stillroom::lm {

at::Tensor linear(const at::Tensor& x, const Linear& weights) {
    if (weights.bias.defined())
        return at::linear(x, weights.weight, weights.bias);
    return at::linear(x, weights.weight);
}

}  // namespace stillroom::lm
