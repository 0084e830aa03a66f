#pragma once

#include "plugins/lm/config/model_config.h"
#include "plugins/lm/modules/linear.h"

#include <functional>

namespace stillroom::lm {

enum class Gate : std::uint8_t;

// T tokens, D hidden, F feed-forward width

/// The weights of one feed-forward, named as in a Hugging Face checkpoint.
struct MlpWeights {
    Linear gate_proj;  ///< undefined where the family has no gate
    Linear up_proj;
    Linear down_proj;
};

/// act(gate)·up into `out`, which may be the gate itself. All are_fusable(), no gradient wanted.
void gate_into(const at::Tensor& out, const at::Tensor& gate, const at::Tensor& up, Gate kind);

/// down(act(gate(x))·up(x)), without a gate down(act(up(x))). `see_middle` is shown what down_proj
/// takes, [T, F].
STILLROOM_API at::Tensor mlp(const at::Tensor& x_TD,
                             const MlpWeights& weights,
                             Activation activation,
                             const std::function<void(const at::Tensor&)>& see_middle = {});

}  // namespace stillroom::lm
