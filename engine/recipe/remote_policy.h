#pragma once

#include "engine/base/diagnostic.h"
#include "engine/recipe/check.h"

#include <functional>
#include <string>
#include <vector>

namespace stillroom {

/// True if one of the files that make up the recipe came from elsewhere.
bool has_remote_part(const Recipe& recipe);

/// Refuses (10) each path that stages of such a recipe read or write and that nobody here gave: it
/// must be written out in a local file or on the command line, lie in or below a path that is, or
/// (an output) in the working directory. `stages` are those of the recipe and of what it uses.
void refuse_remote_paths(const Recipe& recipe,
                         const std::vector<CheckedStage>& stages,
                         const Sources& sources,
                         Diagnostics& diagnostics);

/// Refuses (10) variables in a stage's `env`: of a remote recipe every one; of any recipe those
/// that decide which code a worker loads or to whom its credentials go.
void refuse_variables(const Node& env,
                      const std::function<bool(Span)>& is_remote,
                      Diagnostics& diagnostics);

}  // namespace stillroom
