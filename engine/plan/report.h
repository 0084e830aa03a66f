#pragma once

#include "engine/base/json.h"
#include "engine/plan/estimate.h"
#include "engine/plan/plan.h"

#include <string_view>

namespace stillroom {

/// "run", "cached", "blocked".
STILLROOM_API std::string_view state_name(StageState state);

/// The list of stages as `plan --json` and plan.json have it: [{name, use, state, reason, key,
/// inputs, outputs, ranks, memory_bytes, disk_bytes, seconds, describe, ...}].
STILLROOM_API void write_stages(JsonWriter& out, const Plan& plan, const Sources& sources);

/// [{field, before, after, file, line, column}] of what a stage differs in from its newest entry.
STILLROOM_API void write_changes(JsonWriter& out,
                                 const CheckedStage& stage,
                                 const std::vector<FieldChange>& changes,
                                 const Sources& sources);

STILLROOM_API void write_totals(JsonWriter& out, const Totals& totals, const Room& room);

}  // namespace stillroom
