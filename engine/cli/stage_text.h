#pragma once

#include "engine/cli/command.h"
#include "engine/schema/catalog.h"

#include <string>

namespace stillroom::cli {

/// Ports, outputs and settings of a stage type, for people.
std::string stage_text(const StageType& type, int columns);

/// The same for programs.
void write_stage(JsonWriter& out, const StageType& type);

/// The stage type that a word names; where there is none a mistake that offers the nearest.
const StageType* find_stage_type(Command& command, const Catalog& catalog, const Word& word);

}  // namespace stillroom::cli
