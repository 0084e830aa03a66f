#pragma once

#include "engine/plan/plan.h"

#include <string>
#include <vector>

namespace stillroom {

/// "settings.steps: 1000 -> 2000", "input model has other content".
STILLROOM_API std::string change_text(const FieldChange& change);

/// What `planned` differs in from the newest entry of the same stage: its changes, the reason and
/// the line that caused it. Nothing is changed where there is no such entry.
void explain_miss(const CheckedStage& stage, const Store& store, PlannedStage& planned);

}  // namespace stillroom
