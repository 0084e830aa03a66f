#pragma once

#include "engine/plugin/stage.h"

#include <filesystem>

namespace stillroom::train {

/// Writes the model that a state holds as the folder of the student that it began with has it: its
/// config, its small files, every tensor of the type that it had there.
void write_trained(RunContext& context,
                   const std::filesystem::path& student,
                   const std::filesystem::path& state,
                   const std::filesystem::path& folder);

/// The student as it was.
void write_unchanged(RunContext& context,
                     const std::filesystem::path& student,
                     const std::filesystem::path& folder);

}  // namespace stillroom::train
