#pragma once

#include "plugins/lm/config/model_config.h"

#include <vector>

namespace stillroom::lm {

/// What a position is multiplied by, for each pair of turning dims, of a text of `length` positions
/// (only `dynamic` asks). Rounded to fp32 where transformers rounds: at position 100,000 a last bit
/// of them is a whole degree.
STILLROOM_API std::vector<float> inverse_frequencies(const Rope& rope, std::int64_t length = 0);

/// The unscaled frequency divided by the scaled one, for each pair: GGUF's rope_freqs.weight.
STILLROOM_API std::vector<double> rope_factors(const Rope& rope);

/// What YaRN multiplies cos and sin by where config.json gives no attention_factor.
STILLROOM_API double yarn_attention_factor(double factor, double mscale, double mscale_all_dim);

}  // namespace stillroom::lm
