#pragma once

#include "engine/plugin/second_half.h"
#include "engine/plugin/stage.h"
#include "plugins/prune/importance_settings.h"
#include "plugins/prune/minitron_settings.h"

namespace stillroom::prune {

// What the stages' run() calls in prune_compute.so, which links LibTorch.
extern "C" {
STILLROOM_API void stillroom_prune_importance(const ImportanceSettings& settings,
                                              RunContext& context);
STILLROOM_API void stillroom_prune_minitron(const MinitronSettings& settings, RunContext& context);
}

}  // namespace stillroom::prune
