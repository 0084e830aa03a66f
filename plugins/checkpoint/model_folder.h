#pragma once

#include "plugins/lm/config/config_file.h"
#include "plugins/lm/weights/strict_check.h"
#include "plugins/lm/weights/tensor_folder.h"
#include "plugins/lm/weights/weight_table.h"

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace stillroom::checkpoint {

/// A model folder, looked at and checked: its config and its tensors' headers, never a weight.
struct ModelFolder {
    std::filesystem::path path;
    lm::ConfigFile config;
    lm::WeightTable table;
    std::optional<lm::TensorFolder> weights;  ///< none: the folder holds only config.json
    lm::StrictReport checked;

    const lm::ModelConfig& model() const { return config.model(); }
    const lm::TensorFolder& tensors() const;  ///< throws Error (exit 3) where there are none

    /// The tensors of the model, in the order of the files: without a tied model's head and what
    /// the check ignored, unless those are to be kept.
    std::vector<lm::FolderTensor> own_tensors() const;
};

/// Throws Error: exit 3 for a folder that is no model or contradicts itself, with what to do; 10
/// for one whose weights are pickles alone.
ModelFolder open_model(const std::filesystem::path& folder);

/// What lies in a model folder, by name: paths in it with '/'.
struct FolderFiles {
    std::vector<std::string> small;     ///< that count, README.md and the index too
    std::vector<std::string> unopened;  ///< code and pickles
    std::vector<std::string> others;    ///< that mean nothing to us, less weights
};
FolderFiles list_files(const std::filesystem::path& folder);

/// Hooks of the JSON files that a model's loaders read: "tokenizer_config.json: auto_map".
std::vector<std::string> hooks_of(const std::filesystem::path& folder, const FolderFiles& files);

/// Names of all files that a source of this model consists of.
std::vector<std::string> bound_files(const ModelFolder& model, const FolderFiles& files);

}  // namespace stillroom::checkpoint
