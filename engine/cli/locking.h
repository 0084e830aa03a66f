#pragma once

#include "engine/cli/command.h"
#include "engine/recipe/check.h"

namespace stillroom::cli {

/// Holds a checked recipe to the recipe.lock beside it: what differs is a mistake (exit 9) each, by
/// name and how. True where nothing does.
bool check_locked(Command& command, const Request& request, const Checked& checked);

}  // namespace stillroom::cli
