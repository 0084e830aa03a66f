#pragma once

#include "plugins/lm/weights/weight_table.h"

namespace stillroom::lm {

/// The tensors of a dense decoder: Llama, Mistral, Qwen 2 and 3, Gemma 1 to 3, Nemotron. What a
/// family has is read from the config's flags (biases, norms, gate, tied), never from its name.
std::vector<Weight> decoder_weights(const ModelConfig& config);

}  // namespace stillroom::lm
