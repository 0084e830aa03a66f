#pragma once

#include "engine/base/diagnostic.h"
#include "engine/document/node.h"
#include "engine/recipe/stage_parts.h"
#include "engine/schema/catalog.h"

#include <string>

namespace stillroom {

/// How a stage is spoken of.
struct StageKey {
    std::string name;
    Span where;          ///< its name in the recipe
    Span first;          ///< where an earlier layer had it, if one did
    std::string recipe;  ///< the file that the user named, for `explain`
};

/// The stage's map with the defaults of its settings added where nothing was written.
NodePtr fill_stage(const NodePtr& stage, const StageType& type, const Catalog& catalog);

/// Every setting held to the schema: unknown keys, kinds, bounds, values that must be given,
/// secrets in the wrong place. The result has the kinds that the schema wants and paths that mean
/// the same everywhere.
NodePtr check_settings(const StageKey& stage,
                       const StageType& type,
                       const StageParts& parts,
                       const Catalog& catalog,
                       const Sources& sources,
                       Diagnostics& diagnostics);

/// False for an output that exists only with a setting that is not set.
bool has_output(const OutputDeclaration& output, const Node& settings);

/// Notes that tell where a value came from and what it replaced.
void add_history(Diagnostic& diagnostic, const Node& value, const Sources& sources);

}  // namespace stillroom
