#pragma once

#include "plugins/lm/config/config_text.h"
#include "plugins/lm/config/model_config.h"

namespace stillroom::lm {

/// Where the decoder's keys are: at the top, or under text_config of a multimodal folder.
STILLROOM_API ConfigPath decoder_path(const ConfigText& text);

/// Throws Error (exit 3) at the line of the first key that is missing, of another type, out of
/// bounds, or asks for what is not supported.
ModelConfig read_model(const ConfigText& text);

/// The family that architectures and model_type name, refused unless it is supported.
struct FamilyTraits;
struct MultimodalClass;
struct FoundFamily {
    const FamilyTraits* traits = nullptr;
    const MultimodalClass* multimodal = nullptr;  ///< null: a decoder alone
};
FoundFamily read_family(const ConfigText& text);

}  // namespace stillroom::lm
