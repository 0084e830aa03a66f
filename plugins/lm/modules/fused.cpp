#include "plugins/lm/modules/fused.h"

#include <ATen/core/grad_mode.h>

#include <algorithm>

namespace stillroom::lm {

bool needs_no_gradient(const at::Tensor& x) {
    return !at::GradMode::is_enabled() || !x.requires_grad();
}

std::optional<FusedTier> fused_tier(std::initializer_list<const at::Tensor*> tensors) {
    static const Tier tier = best_tier();
    at::ScalarType type = (*tensors.begin())->scalar_type();
    bool fit = std::all_of(tensors.begin(), tensors.end(), [&](const at::Tensor* x) {
        return x->is_cpu() && x->scalar_type() == type && x->is_contiguous() &&
               needs_no_gradient(*x);
    });
    if (!fit || (type != at::kFloat && type != at::kBFloat16))
        return std::nullopt;
    return FusedTier{.tier = tier, .halves = type == at::kBFloat16};
}

}  // namespace stillroom::lm
