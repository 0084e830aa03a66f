#pragma once

#include "engine/plugin/second_half.h"
#include "engine/plugin/stage.h"
#include "plugins/evaluate/generate_settings.h"
#include "plugins/evaluate/logits_settings.h"
#include "plugins/evaluate/perplexity_settings.h"

namespace stillroom::evaluate {

// What the stages' run() calls in evaluate_compute.so, which links LibTorch.
extern "C" {
STILLROOM_API void stillroom_evaluate_generate(const GenerateSettings& settings,
                                               RunContext& context);
STILLROOM_API void stillroom_evaluate_logits(const LogitsSettings& settings, RunContext& context);
STILLROOM_API void stillroom_evaluate_perplexity(const PerplexitySettings& settings,
                                                 RunContext& context);
}

}  // namespace stillroom::evaluate
