#pragma once

#include "engine/document/node.h"
#include "engine/schema/catalog.h"

#include <functional>
#include <string>
#include <string_view>
#include <vector>

namespace stillroom {

/// The keys of one stage of a recipe, told apart. The three maps keep the order and the places of
/// what was written.
struct StageParts {
    NodePtr engine;    ///< use after when ranks device retry env cache
    NodePtr ports;     ///< references
    NodePtr settings;  ///< what the stage's schema owns, unknown keys too
};

/// `type` may be null: then everything that is no engine key is a setting. `x-*` is left out.
StageParts split_stage(const Node& stage, const StageType* type, const Catalog& catalog);

/// "stage 'student' (prune.minitron)".
std::string stage_title(std::string_view name, std::string_view use);

/// Paths among the settings, relative ones joined to the folder of the file in which their text
/// begins, by the marks that `schema` has at them; outputs belong to the working directory.
NodePtr anchor_paths(const NodePtr& settings, const Node& schema, const Sources& sources);

/// Every setting that `schema` marks as a path, `key` before it; of a list the list.
void visit_paths(
    const Node& settings,
    const Node& schema,
    const std::string& key,
    const std::function<void(const std::string& key, const Node& value, bool output)>& visit);

/// A relative path in its folder; a thing with a scheme stays as it is, less what `file:` needs.
std::string anchored(const Node& value, const Sources& sources);

}  // namespace stillroom
