#pragma once

#include "engine/plugin/stage.h"
#include "plugins/lm/config/model_config.h"

#include <optional>
#include <string_view>

namespace stillroom::evaluate {

/// What config.json says of the port's model, where it is known before anything runs.
std::optional<lm::ModelConfig> config_of(const StageContext& context);

/// What it costs to run so many tokens through the model.
Cost cost_of(const lm::ModelConfig& config, double tokens, std::string_view dtype);

}  // namespace stillroom::evaluate
