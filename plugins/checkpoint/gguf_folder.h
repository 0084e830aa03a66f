#pragma once

#include "engine/plugin/stage.h"
#include "plugins/checkpoint/cast.h"
#include "plugins/lm/weights/gguf_import.h"
#include "plugins/lm/weights/tensor_writer.h"

#include <filesystem>

namespace stillroom::checkpoint {

/// Writes the Hugging Face folder that a GGUF file becomes into an output of a stage.
void write_gguf_folder(const lm::GgufImport& model,
                       RunContext& context,
                       const std::filesystem::path& folder,
                       const lm::SaveOptions& options,
                       BadNumbers& numbers);

}  // namespace stillroom::checkpoint
