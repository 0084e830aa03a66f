#pragma once

#include "plugins/lm/kernels/gated.h"
#include "plugins/lm/modules/rotary.h"

#include <ATen/core/Tensor.h>

#include <initializer_list>

namespace stillroom::lm {

// Operators with a backward of their own, for training. They keep only what their backward reads,
// and what reaches a weight is added to the weight's gradient where it lies: in fp32, without a
// tensor of the weight's shape in between. That gradient is there before the pass (lm/train makes
// it); a weight without one gets its gradient as from any operator.
//
// T tokens, D in, E out, H heads, K head dim, F feed-forward width, V vocabulary

/// Somebody will ask for a gradient through one of them.
bool wants_gradient(std::initializer_list<const at::Tensor*> tensors);

/// x·weightᵀ + bias; the bias may be undefined.
at::Tensor linear_with_backward(const at::Tensor& x_TD,
                                const at::Tensor& weight_ED,
                                const at::Tensor& bias_E);

/// For tensors that are_fusable().
at::Tensor norm_with_backward(const at::Tensor& x,
                              const at::Tensor& weight,
                              double eps,
                              bool plus_one);
at::Tensor gated_with_backward(const at::Tensor& gate_TF, const at::Tensor& up_TF, Gate gate);

/// linear_with_backward() of that; what is between the two is made again on the way back.
at::Tensor gated_linear_with_backward(const at::Tensor& gate_TF,
                                      const at::Tensor& up_TF,
                                      Gate gate,
                                      const at::Tensor& weight_DF,
                                      const at::Tensor& bias_D);

at::Tensor rotate_with_backward(const at::Tensor& x_THK, const Turns& turns);

at::Tensor embed_with_backward(const at::Tensor& weight_VD, const at::Tensor& ids_T);

}  // namespace stillroom::lm
