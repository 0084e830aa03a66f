#pragma once

#include "plugins/lm/kernels/vectors.h"

#include <ATen/core/Tensor.h>

#include <initializer_list>
#include <optional>

namespace stillroom::lm {

/// What a hand-written loop on the CPU can take in place of LibTorch's operators, one pass instead
/// of several: contiguous fp32 or bf16, all of one type, no gradient wanted. Nothing else: none.
struct FusedTier {
    Tier tier = Tier::baseline;
    bool halves = false;  ///< bf16
};

/// Nobody will ask for a gradient through it.
bool needs_no_gradient(const at::Tensor& x);

/// They are what such a loop takes, whether or not gradients are wanted.
bool are_fusable(std::initializer_list<const at::Tensor*> tensors);

std::optional<FusedTier> fused_tier(std::initializer_list<const at::Tensor*> tensors);

template <class Element>
const Element* elements_of(const at::Tensor& x) {
    return static_cast<const Element*>(x.const_data_ptr());
}

template <class Element>
Element* mutable_elements_of(const at::Tensor& x) {
    return static_cast<Element*>(x.mutable_data_ptr());
}

}  // namespace stillroom::lm
