#pragma once

#include "plugins/lm/config/config_text.h"
#include "plugins/lm/config/model_config.h"

#include <span>

namespace stillroom::lm {

/// The text of `from`, edited so that it reads as `to`. ConfigFile::express says the rest.
ConfigText expressed(const ConfigText& text,
                     const ModelConfig& from,
                     const ModelConfig& to,
                     std::span<const std::int64_t> kept);

/// Throws Error (exit 2) unless `found`, as read back, is `wanted`, naming what differs first.
void require_same(const ModelConfig& wanted, const ModelConfig& found);

/// Throws Error (exit 2) unless a stock config.json can say the model and its class takes it.
void require_stock(const ModelConfig& model);

}  // namespace stillroom::lm
