#pragma once

#include "engine/base/diagnostic.h"
#include "engine/document/node.h"
#include "engine/recipe/check.h"
#include "engine/schema/catalog.h"

#include <optional>
#include <string>
#include <vector>

namespace stillroom {

/// What an outside thing is wanted for.
struct LoadRequest {
    std::string name;  ///< of the loader stage: "healed.teacher~load"
    std::string type;  ///< the port's
    NodePtr source;    ///< the text that names the thing
    std::string port;  ///< for messages
    std::vector<Input>
        siblings;  ///< the consuming stage's inputs known so far: a loader may take one over
};

/// The stage that loads an outside thing, with its settings filled in and checked; nothing, with a
/// mistake, where no loader takes it.
std::optional<CheckedStage> make_loader(const LoadRequest& request,
                                        const Catalog& catalog,
                                        const Sources& sources,
                                        Diagnostics& diagnostics);

/// The stage that fills an absent port, by its `x-fill`: it takes over ports and settings of the
/// consuming one, its ranks, device, variables and retries.
std::optional<CheckedStage> make_filler(const CheckedStage& consumer,
                                        const std::string& port,
                                        const Node& fill,
                                        const Catalog& catalog,
                                        Diagnostics& diagnostics);

/// The name of the output that has this type.
std::string output_of_type(const StageType& stage, const std::string& type);

}  // namespace stillroom
