#include "plugins/lm/modules/fused.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>

namespace stillroom::lm {

bool needs_no_gradient(const at::Tensor& x) {
    return !at::GradMode::is_enabled() || !x.requires_grad();
}

bool are_fusable(std::initializer_list<const at::Tensor*> tensors) {
    at::ScalarType type = (*tensors.begin())->scalar_type();
    return (type == at::kFloat || type == at::kBFloat16) &&
           std::all_of(tensors.begin(), tensors.end(), [&](const at::Tensor* x) {
               return x->is_cpu() && x->scalar_type() == type && x->is_contiguous();
           });
}

std::optional<FusedTier> fused_tier(std::initializer_list<const at::Tensor*> tensors) {
    static const Tier tier = best_tier();
    bool plain = std::all_of(
        tensors.begin(), tensors.end(), [](const at::Tensor* x) { return needs_no_gradient(*x); });
    if (!plain || !are_fusable(tensors))
        return std::nullopt;
    return FusedTier{.tier = tier, .halves = (*tensors.begin())->scalar_type() == at::kBFloat16};
}

}  // namespace stillroom::lm
