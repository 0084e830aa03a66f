#pragma once

#include "plugins/lm/config/config_text.h"
#include "plugins/lm/config/model_config.h"

#include <optional>

namespace stillroom::lm {

/// What the config.json of a multimodal folder says of its decoder, as the config.json of that
/// decoder alone: text_config with its keys, order and spellings, and from around it what a plain
/// class reads at the top. Nothing for a plain config.json. `model` is what `text` reads as, and
/// the result reads as the same; throws Error (exit 3) where no plain class computes it.
std::optional<ConfigText> text_tower(const ConfigText& text, const ModelConfig& model);

}  // namespace stillroom::lm
