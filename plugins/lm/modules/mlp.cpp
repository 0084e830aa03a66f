#include "plugins/lm/modules/mlp.h"

#include "engine/base/error.h"

#include <ATen/ops/linear.h>
#include <ATen/ops/silu.h>
#include <fmt/format.h>

namespace stillroom::lm {
namespace {

void expect_shape(const char* name, const at::Tensor& weight, int64_t rows, int64_t columns) {
    if (weight.dim() == 2 && weight.size(0) == rows && weight.size(1) == columns)
        return;
    std::string shape = weight.dim() == 2 ? fmt::format("{} x {}", weight.size(0), weight.size(1))
                                          : fmt::format("of {} dimensions", weight.dim());
    throw Error({}, fmt::format("'{}' is {}, expected {} x {}", name, shape, rows, columns))
        .exit_code(kExitBadInput);
}

}  // namespace

at::Tensor mlp(const at::Tensor& x_BTD, const MlpWeights& weights) {
    if (x_BTD.dim() == 0 || weights.gate_FD.dim() != 2)
        throw Error({}, "the feed-forward takes an input of hidden states and matrices as weights")
            .exit_code(kExitBadInput);
    int64_t hidden = x_BTD.size(-1);
    int64_t width = weights.gate_FD.size(0);
    expect_shape("gate_proj.weight", weights.gate_FD, width, hidden);
    expect_shape("up_proj.weight", weights.up_FD, width, hidden);
    expect_shape("down_proj.weight", weights.down_DF, hidden, width);

    at::Tensor gated_BTF = at::silu(at::linear(x_BTD, weights.gate_FD));
    return at::linear(gated_BTF.mul(at::linear(x_BTD, weights.up_FD)), weights.down_DF);
}

}  // namespace stillroom::lm
