#pragma once

#include "engine/cli/command.h"

namespace stillroom::cli {

/// Whether every word names a run, by its folder or its id, and none a recipe.
bool are_runs(const Command& command);

/// What two runs were asked for, made with and made from, and what came out, where that differs:
/// recipe, versions, inputs, metrics.
void diff_runs(Command& command);

}  // namespace stillroom::cli
