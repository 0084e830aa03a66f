#pragma once

#include "engine/plugin/stage.h"

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace stillroom {

/// The setting `gate` of stages that measure: bounds on numbers of their report.json. A name is a
/// key of it, or keys with dots between them where the number lies deeper.
struct GateBounds {
    std::optional<double> min, max;
};
using Gates = std::map<std::string, GateBounds>;

/// From what the setting has become in a stage's struct.
template <class Setting>
Gates gates_of(const Setting& setting) {
    Gates gates;
    for (const auto& [name, bounds] : setting)
        gates[name] = {.min = bounds.min, .max = bounds.max};
    return gates;
}

/// Refuses, before anything runs, gates on numbers that the report will not have, and bounds that
/// no number meets. `names`: those it will have; "subjects." stands for all below it.
STILLROOM_API void refuse_wrong_gates(const StageContext& context,
                                      const Gates& gates,
                                      std::span<const std::string> names);

/// Marks the stage's outputs as failed (exit 8) where a number of this report.json is out of its
/// bounds, saying all of them. NaN is. Throws Error (exit 2) for a name that is no number there.
STILLROOM_API void check_gates(RunContext& context,
                               const Gates& gates,
                               std::string_view report_json);

}  // namespace stillroom
