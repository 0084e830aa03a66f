#pragma once

#include "engine/schema/catalog.h"
#include "engine/schema/lookup.h"

#include <optional>
#include <string>
#include <vector>

namespace stillroom::cli {

/// What a stage type says of one of its keys, ports and the keys of every stage among them.
std::optional<KeyHelp> stage_key(const StageType& type,
                                 const std::vector<std::string>& path,
                                 const Catalog& catalog);

/// The keys that may stand at a path of a stage: at the top its ports, then its settings.
std::vector<KeyHelp> stage_keys(const StageType& type, const std::vector<std::string>& path);

KeyHelp help_of_port(const PortDeclaration& port);

/// "integer (count) ≥ 1, default 10 (candidates): candidates that get scored", for a table.
std::string summary_of(const KeyHelp& help);

}  // namespace stillroom::cli
