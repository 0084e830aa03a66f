#pragma once

#include "engine/base/api.h"
#include "engine/base/diagnostic.h"
#include "engine/plan/plan.h"

#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace stillroom {

/// What flows into a stage before the run: the folder of an artifact that is there, or the skeleton
/// that an earlier stage of the same request makes.
struct DescribeInput {
    std::string stage;  ///< empty: `path` counts
    std::string output;
    std::filesystem::path path;
};

/// A stage that will run or may have to.
struct DescribeStage {
    std::string name;
    std::string use;
    NodePtr settings;
    std::vector<std::string> given;  ///< dotted keys of settings that somebody wrote
    std::map<std::string, std::vector<DescribeInput>> inputs;  ///< by port
    std::vector<std::string> outputs;
    std::string device = "auto";
    int ranks = 1;
};

/// Why a stage cannot work.
struct Refusal {
    std::string message;
    std::string key;  ///< setting at fault, dotted; empty: none
    std::string hint;
    std::vector<std::string> notes;
    int exit_code = 2;
};

/// What one stage answered. Neither refusal nor description: what it stands on was refused.
struct DescribeAnswer {
    std::string stage;
    std::optional<Description> description;
    std::optional<Refusal> refusal;
};

/// Asks the stages' own code in one short-lived process; the stages stand in an order in which each
/// comes after what it takes. engine/run makes one: a plan never opens a plugin.
using Describer = std::function<std::vector<DescribeAnswer>(const std::vector<DescribeStage>&)>;

/// Asks about every stage of the plans that is not cached, in one request; what the jobs of a sweep
/// share once. Fills the descriptions in and turns refusals into diagnostics at the setting's
/// place.
STILLROOM_API void describe_plans(const std::vector<Plan*>& plans,
                                  const Describer& describer,
                                  const Sources& sources,
                                  Diagnostics& diagnostics);

/// Dotted keys of the settings that somebody wrote: no default of a schema.
STILLROOM_API std::vector<std::string> given_settings(const Node& settings);

}  // namespace stillroom
