#include "plugins/lm/modules/norm.h"

#include "plugins/lm/kernels/rms_norm.h"
#include "plugins/lm/modules/fused.h"
#include "plugins/lm/modules/own_backward.h"

#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/_fused_rms_norm.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/layer_norm.h>
#include <ATen/ops/rsqrt.h>

#include <algorithm>
#include <tuple>

namespace stillroom::lm {
namespace {

/// x over its root mean square, in fp32.
at::Tensor normalised(const at::Tensor& x, double eps) {
    at::Tensor wide = x.to(at::kFloat);
    return wide * at::rsqrt(wide.square().mean(-1, /*keepdim=*/true) + eps);
}

template <class Element>
void norm_rows(Tier tier,
               const RmsNorm& kind,
               const at::Tensor& x,
               const at::Tensor& w,
               const at::Tensor& out) {
    std::int64_t rows = x.numel() / x.size(-1), columns = x.size(-1);
    at::parallel_for(
        0, rows, std::max<std::int64_t>(1, 16384 / columns), [&](auto begin, auto end) {
            rms_norm(tier,
                     kind,
                     elements_of<Element>(x) + begin * columns,
                     elements_of<Element>(w),
                     mutable_elements_of<Element>(out) + begin * columns,
                     static_cast<std::size_t>(end - begin));
        });
}

at::Tensor fused_norm(
    const FusedTier& fused, const at::Tensor& x, const at::Tensor& w, Norm kind, double eps) {
    RmsNorm how{.columns = static_cast<std::size_t>(x.size(-1)),
                .eps = static_cast<float>(eps),
                .plus_one = kind == Norm::rms_plus_one};
    at::Tensor out = at::empty_like(x);
    if (fused.halves)
        norm_rows<Bf16>(fused.tier, how, x, w, out);
    else
        norm_rows<float>(fused.tier, how, x, w, out);
    return out;
}

}  // namespace

bool normed_on_device(const at::Tensor& x, const at::Tensor& weight, Norm kind) {
    return x.is_cuda() && x.scalar_type() == weight.scalar_type() &&
           (kind == Norm::rms || (kind == Norm::rms_plus_one && x.scalar_type() == at::kFloat));
}

at::Tensor norm(const at::Tensor& x, const NormWeights& weights, Norm kind, double eps) {
    bool rms = kind != Norm::layer_plus_one;
    bool on_device = normed_on_device(x, weights.weight, kind), plus_one = kind != Norm::rms;
    if (rms && (on_device || are_fusable({&x, &weights.weight})) &&
        wants_gradient({&x, &weights.weight}))
        return norm_with_backward(x, weights.weight, eps, plus_one);
    if (on_device)
        return std::get<0>(at::_fused_rms_norm(
            x, weights.weight.sizes(), plus_one ? weights.weight + 1 : weights.weight, eps));
    if (rms)
        if (std::optional<FusedTier> fused = fused_tier({&x, &weights.weight}))
            return fused_norm(*fused, x, weights.weight, kind, eps);
    switch (kind) {
        case Norm::rms:
            return weights.weight * normalised(x, eps).to(x.scalar_type());
        case Norm::rms_plus_one:
            return (normalised(x, eps) * (weights.weight.to(at::kFloat) + 1)).to(x.scalar_type());
        case Norm::layer_plus_one:
            break;
    }
    return at::layer_norm(x, {x.size(-1)}, weights.weight + 1, weights.bias, eps);
}

}  // namespace stillroom::lm
