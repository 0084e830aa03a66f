#pragma once

#include "plugins/lm/weights/safetensors.h"

#include <span>
#include <string>
#include <string_view>

namespace stillroom::lm {

// In a multimodal folder a decoder's tensors have names of their own, by the age of the class that
// wrote them, and stand among those of other towers. Which they are the names alone say.

/// What stands in front of the decoder's names, and of its head's: nothing in a plain folder.
struct TowerNames {
    std::string_view body, head;

    bool renames() const { return !body.empty(); }
    std::string plain(const std::string& name) const;  ///< as in a folder of the decoder alone
};
TowerNames tower_names(std::span<const TensorFile> files);

/// A tensor of a vision tower, or of what joins it to the decoder.
bool is_of_other_tower(std::string_view name);

}  // namespace stillroom::lm
