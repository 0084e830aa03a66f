#pragma once

#include <ATen/core/Tensor.h>

namespace stillroom::lm {

/// A matrix product's weights as a checkpoint has them, [out, in]. Either may be a leading slice of
/// a wider tensor: products take a row stride.
struct Linear {
    at::Tensor weight;
    at::Tensor bias;  ///< undefined where the family has none
};

/// x·weightᵀ + bias. Weights of bf16 under fp32 rows are read as they are (narrow_linear.h).
at::Tensor linear(const at::Tensor& x, const Linear& weights);

/// Adds a·b to an fp32 `main`: of fp32, or of narrower numbers, whose sums are then fp32 on a
/// device that can, and there is no tensor in between; the CPU rounds them to what they are first.
void add_product(const at::Tensor& main, const at::Tensor& a, const at::Tensor& b);

}  // namespace stillroom::lm
