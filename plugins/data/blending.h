#pragma once

#include "plugins/lm/data/dataset_folder.h"

#include <filesystem>
#include <string>
#include <vector>

namespace stillroom::data {

/// A dataset that a blend is made of.
struct BlendInput {
    lm::DatasetInfo info;
    std::filesystem::path folder;  ///< that its relative prefixes belong to
};

/// All parts of all inputs, by their weights. An input of several parts shares its weight out: by
/// their own weights, else by their tokens. Without `weights`: by size, one pass each, unless an
/// input has weights of its own; then each input weighs as many tokens as it has. Prefixes become
/// absolute. Throws Error (exit 3) where the inputs are of different tokenizers.
lm::DatasetInfo blend(const std::vector<BlendInput>& inputs, const std::vector<double>& weights);

/// A name in one folder for each prefix, its own where it can be, so that nothing says where the
/// files lie. Returns the prefixes that were.
std::vector<std::filesystem::path> name_parts(lm::DatasetInfo& info);

/// The same with the files under those names, as links: what an artifact refers to and does not
/// copy. The engine refuses a link to what is neither an input nor said to be read.
void link_parts(lm::DatasetInfo& info, const std::filesystem::path& output);

/// What Megatron's --data-args-path takes, of named parts.
std::string blend_text_of(const lm::DatasetInfo& info);

}  // namespace stillroom::data
