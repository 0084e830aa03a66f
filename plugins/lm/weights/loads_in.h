#pragma once

#include "plugins/lm/config/model_config.h"

#include <string>
#include <vector>

namespace stillroom::lm {

/// Whether a runtime loads the model's folder, and why not, or what to mind.
struct LoadsIn {
    std::string runtime;  ///< "transformers", "vllm", "sglang", "tensorrt-llm", "llama.cpp"
    bool loads = false;
    std::string note;  ///< empty: nothing to mind
};

STILLROOM_API std::vector<LoadsIn> loads_in(const ModelConfig& model);

}  // namespace stillroom::lm
