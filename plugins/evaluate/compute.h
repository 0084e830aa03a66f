#pragma once

#include "engine/plugin/second_half.h"
#include "engine/plugin/stage.h"
#include "plugins/evaluate/compare_settings.h"
#include "plugins/evaluate/generate_settings.h"
#include "plugins/evaluate/logits_settings.h"
#include "plugins/evaluate/mmlu_settings.h"
#include "plugins/evaluate/perplexity_settings.h"
#include "plugins/evaluate/tasks_settings.h"

#include <filesystem>
#include <string>

namespace stillroom::evaluate {

/// Tokens a second.
struct Speed {
    double reads = 0;   ///< of a text that is there
    double writes = 0;  ///< one after another
    std::string dtype;  ///< that it was measured in
};

// What the stages' run() calls in evaluate_compute.so, which links LibTorch.
extern "C" {
STILLROOM_API void stillroom_evaluate_generate(const GenerateSettings& settings,
                                               RunContext& context);
STILLROOM_API void stillroom_evaluate_logits(const LogitsSettings& settings, RunContext& context);
STILLROOM_API void stillroom_evaluate_mmlu(const MmluSettings& settings, RunContext& context);
STILLROOM_API void stillroom_evaluate_perplexity(const PerplexitySettings& settings,
                                                 RunContext& context);
STILLROOM_API void stillroom_evaluate_speed(const CompareSettings& settings,
                                            const std::filesystem::path& folder,
                                            RunContext& context,
                                            Speed& out);
STILLROOM_API void stillroom_evaluate_tasks(const TasksSettings& settings, RunContext& context);
}

}  // namespace stillroom::evaluate
