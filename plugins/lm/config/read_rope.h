#pragma once

#include "plugins/lm/config/config_keys.h"
#include "plugins/lm/config/families.h"

namespace stillroom::lm {

/// Rotary positions of the two kinds of layers; the same ones but for Gemma 3.
struct Ropes {
    Rope full, windowed;
};

/// Reads transformers 4's keys (rope_theta, rope_scaling, rope_local_base_freq) and 5's
/// (rope_parameters, one map or one for each type of layer). Throws Error (exit 3) where the two
/// disagree, and for a scaling that is not understood wholly.
Ropes read_ropes(const ConfigKeys& keys,
                 const FamilyTraits& traits,
                 std::int64_t head_dim,
                 std::int64_t max_positions);

}  // namespace stillroom::lm
