#pragma once

#include "plugins/lm/config/model_config.h"
#include "plugins/lm/weights/gguf_keys.h"

#include <cstdint>
#include <optional>
#include <span>

namespace stillroom::lm {

/// The rotary positions that a GGUF file's keys and its tensor rope_freqs.weight describe. Throws
/// Error (exit 3), by name, for a scaling that config.json or Stillroom does not know.
Rope gguf_rope(const GgufFile& file,
               const GgufKeys& keys,
               std::int64_t rotary_dim,
               std::int64_t max_positions);

/// The llama3 scaling whose factors these are (the unscaled frequencies divided by the scaled ones,
/// as fp32); nothing if there is none. `plain` has theta and rotary_dim.
///
/// Factors depend on the original length only through its ratios to low_freq_factor and
/// high_freq_factor: low_freq_factor is taken to be 1, as in every published model.
std::optional<Rope> llama3_of_factors(const Rope& plain, std::span<const float> factors);

}  // namespace stillroom::lm
